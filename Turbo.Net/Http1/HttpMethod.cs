namespace Turbo.Net;

/// <summary>The methods of RFC 9110 §9 (and PATCH, RFC 5789); any other token is <see cref="Other"/>.</summary>
public enum HttpMethod : byte
{
    /// <summary>A method not listed here; its bytes are in <see cref="Exchange.MethodName"/>.</summary>
    Other,
    /// <summary>GET</summary>
    Get,
    /// <summary>HEAD</summary>
    Head,
    /// <summary>POST</summary>
    Post,
    /// <summary>PUT</summary>
    Put,
    /// <summary>DELETE</summary>
    Delete,
    /// <summary>PATCH</summary>
    Patch,
    /// <summary>OPTIONS</summary>
    Options,
    /// <summary>TRACE</summary>
    Trace,
    /// <summary>CONNECT</summary>
    Connect,
}

internal static class HttpMethods
{
    /// <summary>Methods are case-sensitive (RFC 9110 §9.1).</summary>
    public static HttpMethod Classify(ReadOnlySpan<byte> method) => method.Length switch
    {
        3 => method.SequenceEqual("GET"u8) ? HttpMethod.Get : method.SequenceEqual("PUT"u8) ? HttpMethod.Put : HttpMethod.Other,
        4 => method.SequenceEqual("POST"u8) ? HttpMethod.Post : method.SequenceEqual("HEAD"u8) ? HttpMethod.Head : HttpMethod.Other,
        5 => method.SequenceEqual("PATCH"u8) ? HttpMethod.Patch : method.SequenceEqual("TRACE"u8) ? HttpMethod.Trace : HttpMethod.Other,
        6 => method.SequenceEqual("DELETE"u8) ? HttpMethod.Delete : HttpMethod.Other,
        7 => method.SequenceEqual("OPTIONS"u8) ? HttpMethod.Options : method.SequenceEqual("CONNECT"u8) ? HttpMethod.Connect : HttpMethod.Other,
        _ => HttpMethod.Other,
    };

    public static ReadOnlySpan<byte> Name(HttpMethod method) => method switch
    {
        HttpMethod.Get => "GET"u8,
        HttpMethod.Head => "HEAD"u8,
        HttpMethod.Post => "POST"u8,
        HttpMethod.Put => "PUT"u8,
        HttpMethod.Delete => "DELETE"u8,
        HttpMethod.Patch => "PATCH"u8,
        HttpMethod.Options => "OPTIONS"u8,
        HttpMethod.Trace => "TRACE"u8,
        HttpMethod.Connect => "CONNECT"u8,
        _ => default,
    };
}
