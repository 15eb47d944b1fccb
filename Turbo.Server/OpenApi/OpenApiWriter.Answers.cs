using Turbo.Net;
using Turbo.Server.Api;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Server.OpenApi;

/// <summary>What comes back: responses, schemas, and what several routes share.</summary>
internal sealed partial class OpenApiWriter
{
    private const string ForeignPage = "`origin_not_allowed`: a page of an origin that CORS_ORIGINS does not name asks for it with its visitor's cookie";

    private void WriteResponses(ApiOperation operation, RouteDescription? description)
    {
        _json.WriteStartObject("responses"u8);
        WriteSuccess(description);
        bool needsSession = _surface.NeedsSession(operation.Route);
        bool refusesForeignPages = needsSession && operation.Method is not HttpMethod.Get;
        bool readsParameters = description is { Parameters.Length: > 0 };
        if (readsParameters) WriteReference("400", "BadRequest");
        foreach (IGrouping<int, ErrorDescription> status in (description?.Errors ?? []).GroupBy(static error => error.Status).OrderBy(static status => status.Key))
        {
            // Of a change it is told below, whoever asks.
            IEnumerable<string> reasons = status.Where(error => !refusesForeignPages || error.Code != "origin_not_allowed").Select(static error => $"`{error.Code}`: {error.When}");
            if (status.Key == 401 && needsSession) reasons = reasons.Prepend("`missing_session`, `invalid_session`: no session, or none that lives");
            if (status.Key == 403 && refusesForeignPages) reasons = reasons.Append(ForeignPage);
            WriteError($"{status.Key}", string.Join("; ", reasons));
        }
        if (needsSession && description?.Errors.Any(static error => error.Status == 401) is not true) WriteReference("401", "NoSession");
        if (refusesForeignPages && description?.Errors.Any(static error => error.Status == 403) is not true) WriteReference("403", "ForeignPage");
        if (operation.HasBody && readsParameters)
        {
            WriteReference("413", "TooLarge");
            WriteReference("415", "UnsupportedMediaType");
        }
        WriteReference("default", "Other");
        _json.WriteEndObject();
    }

    private void WriteSuccess(RouteDescription? description)
    {
        if (description is { Streamed: not null })
        {
            _json.WriteStartObject("101"u8);
            _json.WriteString("description"u8, "a WebSocket, where the request asks for one: each message is text that holds what an event's `data` does");
            _json.WriteEndObject();
        }
        _json.WriteStartObject("200"u8);
        _json.WriteString("description"u8, description switch
        {
            null => "whatever the application answers",
            { Streamed: not null } => "events as they come, each with its JSON as `data`, and a comment line at least every 15 s",
            { MediaType: "*/*" } => "the upstream's answer; its status may be another",
            _ => "done",
        });
        _json.WriteStartObject("content"u8);
        _json.WriteStartObject(description?.MediaType ?? "*/*");
        if (description is { MediaType: not "*/*" })
        {
            _json.WriteStartObject("schema"u8);
            if (description.Answer is { } answer) WriteShape(answer);
            else
            {
                _json.WriteString("type"u8, "string"u8);
                if (description.Streamed is { } streamed)
                {
                    _json.WriteString("description"u8, "of each event, the `data`"u8);
                    _json.WriteString("contentMediaType"u8, "application/json"u8);
                    _json.WriteStartObject("contentSchema"u8);
                    WriteShape(streamed);
                    _json.WriteEndObject();
                }
            }
            _json.WriteEndObject();
        }
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.WriteEndObject();
        if (description is not { Redirects: true }) return;
        _json.WriteStartObject("302"u8);
        _json.WriteString("description"u8, "to `redirect_url`, where it was given"u8);
        _json.WriteEndObject();
    }

    private void WriteReference(string status, string response)
    {
        _json.WriteStartObject(status);
        _json.WriteString("$ref"u8, $"#/components/responses/{response}");
        _json.WriteEndObject();
    }

    private void WriteError(string name, string description, bool mayRetry = false)
    {
        _json.WriteStartObject(name);
        _json.WriteString("description"u8, description);
        if (mayRetry)
        {
            _json.WriteStartObject("headers"u8);
            _json.WriteStartObject("Retry-After"u8);
            _json.WriteString("description"u8, "with 429 and 503: seconds to wait"u8);
            _json.WriteStartObject("schema"u8);
            _json.WriteString("type"u8, "integer"u8);
            _json.WriteNumber("minimum"u8, 1);
            _json.WriteEndObject();
            _json.WriteEndObject();
            _json.WriteEndObject();
        }
        _json.WriteStartObject("content"u8);
        _json.WriteStartObject("application/json"u8);
        _json.WriteStartObject("schema"u8);
        WriteShape(Shapes.Error);
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    private void WriteComponents()
    {
        _json.WriteStartObject("components"u8);
        _json.WriteStartObject("responses"u8);
        WriteError("BadRequest", "`missing_parameter` or `invalid_parameter`, with its name as `param`; `malformed_content`; `too_many_fields`");
        WriteError("NoSession", "`missing_session`, `invalid_session`: no session, or none that lives");
        WriteError("ForeignPage", ForeignPage);
        WriteError("TooLarge", "the body is larger than MAX_BODY");
        WriteError("UnsupportedMediaType", "`unsupported_media_type`: the body is neither a form nor JSON, or has a content coding");
        WriteError("Other", "any other error, of Turbo's or of HTTP: 500 where something of the server's failed, 503 where it is stopping or has too much to do", mayRetry: true);
        _json.WriteEndObject();
        WriteSecuritySchemes();

        _json.WriteStartObject("schemas"u8);
        // Writing one may name others.
        HashSet<string> written = [];
        while (_named.FirstOrDefault(one => !written.Contains(one.Key)) is { Key: { } name, Value: { } shape })
        {
            written.Add(name);
            _json.WriteStartObject(name);
            WriteShape(shape with { Name = null });
            _json.WriteEndObject();
        }
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    private void WriteSecuritySchemes()
    {
        _json.WriteStartObject("securitySchemes"u8);
        WriteHttpScheme("bearer", "bearer", "a session's token");
        WriteKeyScheme("cookie", "cookie", "sess", "the cookie that signup and login set");
        WriteHttpScheme("basic", "basic", "any user-id, and a session's token as the password");
        WriteKeyScheme("token", "query", "token", "a session's token, for streams alone: a browser's EventSource and WebSocket can send no field; it may come in a body too");
        if (_surface.ProxyAuth == ProxyAuth.Passthrough) WriteHttpScheme("upstream", "bearer", "the client's own key for the upstream, which gets it as it is");
        _json.WriteEndObject();
    }

    private void WriteHttpScheme(string name, string scheme, string description)
    {
        _json.WriteStartObject(name);
        _json.WriteString("type"u8, "http"u8);
        _json.WriteString("scheme"u8, scheme);
        _json.WriteString("description"u8, description);
        _json.WriteEndObject();
    }

    private void WriteKeyScheme(string name, string place, string key, string description)
    {
        _json.WriteStartObject(name);
        _json.WriteString("type"u8, "apiKey"u8);
        _json.WriteString("in"u8, place);
        _json.WriteString("name"u8, key);
        _json.WriteString("description"u8, description);
        _json.WriteEndObject();
    }

    private void WriteShape(Shape shape, string meaning = "")
    {
        if (meaning.Length == 0) meaning = shape.Meaning;
        if (shape.Name is { } name)
        {
            _named.TryAdd(name, shape);
            _json.WriteString("$ref"u8, $"#/components/schemas/{name}");
            if (meaning != shape.Meaning) _json.WriteString("description"u8, meaning);
            return;
        }
        if (shape.IsNullable)
        {
            _json.WriteStartArray("type"u8);
            _json.WriteStringValue(shape.Type);
            _json.WriteStringValue("null"u8);
            _json.WriteEndArray();
        }
        else if (shape.Type.Length > 0) _json.WriteString("type"u8, shape.Type);
        if (shape.Format is not null) _json.WriteString("format"u8, shape.Format);
        if (meaning.Length > 0) _json.WriteString("description"u8, meaning);
        if (shape.Values.Length > 0)
        {
            _json.WriteStartArray("enum"u8);
            foreach (string value in shape.Values) _json.WriteStringValue(value);
            _json.WriteEndArray();
        }
        if (shape.Items is { } items)
        {
            _json.WriteStartObject("items"u8);
            WriteShape(items);
            _json.WriteEndObject();
        }
        if (shape.Properties.Length == 0) return;
        _json.WriteStartObject("properties"u8);
        foreach (Shape.Property property in shape.Properties)
        {
            _json.WriteStartObject(property.Name);
            WriteShape(property.Shape, property.Meaning);
            _json.WriteEndObject();
        }
        _json.WriteEndObject();
        WriteRequired([.. shape.Properties.Where(static property => !property.IsOptional).Select(static property => property.Name)]);
    }
}
