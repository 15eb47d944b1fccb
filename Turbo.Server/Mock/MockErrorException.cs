namespace Turbo.Server.Mock;

/// <summary>A request the mock refuses, and how OpenAI says so.</summary>
internal sealed class MockErrorException(int status, string message, string type, string? param = null, string? code = null) : Exception(message)
{
    public int Status { get; } = status;

    public string Type { get; } = type;

    /// <summary>The field that is wrong.</summary>
    public string? Param { get; } = param;

    public string? Code { get; } = code;

    public static MockErrorException Invalid(string message, string? param = null, string? code = null) =>
        new(400, message, "invalid_request_error", param, code);

    public static MockErrorException NotFound(string message, string? param = null, string? code = null) =>
        new(404, message, "invalid_request_error", param, code);

    /// <summary>The error that OpenAI gives with a status.</summary>
    public static MockErrorException OfStatus(int status) => status switch
    {
        401 => new(401, "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys.", "invalid_request_error", null, "invalid_api_key"),
        403 => new(403, "Country, region, or territory not supported.", "request_forbidden", null, "unsupported_country_region_territory"),
        404 => NotFound("The resource does not exist."),
        429 => new(429, "Rate limit reached for requests. Please try again in 1s.", "requests", null, "rate_limit_exceeded"),
        503 => new(503, "The engine is currently overloaded, please try again later.", "server_error"),
        >= 500 => new(status, "The server had an error while processing your request.", "server_error"),
        _ => new(status, "The request was refused.", "invalid_request_error"),
    };
}
