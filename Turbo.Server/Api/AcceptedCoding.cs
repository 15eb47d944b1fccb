using System.Buffers.Text;
using System.Text;
using Turbo.Net;

namespace Turbo.Server.Api;

/// <summary>The content coding that a client gets of those that there are, in ascending order of our own preference.</summary>
internal enum ContentCoding { Identity, Gzip, Brotli }

/// <summary>Reads Accept-Encoding (RFC 9110 §12.5.3).</summary>
internal static class AcceptedCoding
{
    /// <summary>
    /// The acceptable coding with the highest weight; of several the one that is smallest. Identity where none is, or
    /// the field is malformed: it is better than no answer.
    /// </summary>
    public static ContentCoding Of(HeaderFields fields)
    {
        // Weights in thousandths; -1 is not named.
        int brotli = -1, gzip = -1, identity = -1, any = -1;
        for (int i = 0; i < fields.Count; i++)
        {
            if (!Ascii.EqualsIgnoreCase(fields[i].Name, "Accept-Encoding"u8)) continue;
            ReadOnlySpan<byte> value = fields[i].Value;
            foreach (Range part in value.Split((byte)','))
            {
                ReadOnlySpan<byte> coding = value[part].Trim(" \t"u8);
                int weight = 1000;
                int end = coding.IndexOf((byte)';');
                if (end >= 0)
                {
                    weight = Weight(coding[(end + 1)..].Trim(" \t"u8));
                    coding = coding[..end].TrimEnd(" \t"u8);
                }
                if (Ascii.EqualsIgnoreCase(coding, "br"u8)) brotli = weight;
                else if (Ascii.EqualsIgnoreCase(coding, "gzip"u8) || Ascii.EqualsIgnoreCase(coding, "x-gzip"u8)) gzip = weight;
                else if (Ascii.EqualsIgnoreCase(coding, "identity"u8)) identity = weight;
                else if (coding.SequenceEqual("*"u8)) any = weight;
            }
        }
        if (brotli < 0) brotli = any;
        if (gzip < 0) gzip = any;
        if (brotli > 0 && brotli >= gzip && brotli >= identity) return ContentCoding.Brotli;
        return gzip > 0 && gzip >= identity ? ContentCoding.Gzip : ContentCoding.Identity;
    }

    // "q=" and up to three decimals (RFC 9110 §12.4.2); what is none refuses the coding.
    private static int Weight(ReadOnlySpan<byte> parameter)
    {
        if (parameter.Length < 3 || (parameter[0] | 0x20) != 'q' || parameter[1] != '=') return 0;
        return Utf8Parser.TryParse(parameter[2..], out decimal weight, out int used) && used == parameter.Length - 2 && weight is >= 0 and <= 1
            ? (int)(weight * 1000)
            : 0;
    }
}
