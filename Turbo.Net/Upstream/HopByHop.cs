using System.Text;

namespace Turbo.Net.Upstream;

/// <summary>The fields that end at this hop (RFC 9110 §7.6.1).</summary>
internal static class HopByHop
{
    /// <summary>Whether the field stays behind. Transfer-Encoding does too, but is the framing's to say.</summary>
    public static bool Ends(in HeaderField field, HeaderFields fields)
    {
        switch (field.Known)
        {
            case KnownField.Connection or KnownField.KeepAlive or KnownField.ProxyConnection or KnownField.TE or KnownField.Upgrade or KnownField.TransferEncoding:
                return true;
        }
        return fields.Has(KnownField.Connection) && IsNamed(field.Name, fields);
    }

    // A field named by Connection ends here as well, except those whose loss would change what the message means:
    // a client must not be able to take Host, the length, its authentication or its expectation (the origin's 100 is what
    // it waits for) off a request that was already judged.
    private static bool IsNamed(ReadOnlySpan<byte> name, HeaderFields fields)
    {
        for (int i = 0; i < fields.Count; i++)
        {
            HeaderField connection = fields[i];
            if (connection.Known == KnownField.Connection && HeaderFields.ListHas(connection.Value, name))
            {
                return KnownFields.Classify(name) is not (KnownField.Host or KnownField.ContentLength or KnownField.Authorization or KnownField.Expect);
            }
        }
        return false;
    }
}
