using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Turbo.Net;
using Turbo.Server.Api;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Server.OpenApi;

/// <summary>Writes a surface as an OpenAPI 3.1 document.</summary>
internal sealed partial class OpenApiWriter
{
    private const string About = """
        Turbo is an OpenAI proxy with users, groups and chats.

        Parameters come from the query string, a form or a JSON object; of a name that is in both, the body's counts. They are
        told here where they are best sent: in the query of a GET, in the body of a POST. Unknown ones are ignored; one of a
        wrong type is 400 and named. Reads take GET, HEAD and POST, writes POST; anything else is 405 with `Allow`.

        A session is presented as `Authorization: Bearer`, as the cookie `sess` that login sets, as the password of Basic
        authentication or, to a stream, as the parameter `token`. Every error has one shape.
        """;

    private readonly ArrayBufferWriter<byte> _output = new(64 * 1024);
    private readonly Utf8JsonWriter _json;
    private readonly ApiSurface _surface;
    private readonly Dictionary<string, Shape> _named = [];

    private OpenApiWriter(ApiSurface surface)
    {
        _surface = surface;
        _json = new Utf8JsonWriter(_output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    /// <param name="surface">What to describe.</param>
    /// <param name="version">Turbo's.</param>
    public static byte[] Write(ApiSurface surface, string version)
    {
        OpenApiWriter writer = new(surface);
        writer.WriteDocument(version);
        writer._json.Flush();
        return writer._output.WrittenSpan.ToArray();
    }

    private void WriteDocument(string version)
    {
        _json.WriteStartObject();
        _json.WriteString("openapi"u8, "3.1.1"u8);
        _json.WriteStartObject("info"u8);
        _json.WriteString("title"u8, "Turbo"u8);
        _json.WriteString("version"u8, version);
        _json.WriteString("description"u8, About);
        _json.WriteStartObject("license"u8);
        _json.WriteString("name"u8, "MIT"u8);
        _json.WriteString("identifier"u8, "MIT"u8);
        _json.WriteEndObject();
        _json.WriteEndObject();

        _json.WriteStartArray("servers"u8);
        _json.WriteStartObject();
        _json.WriteString("url"u8, "/"u8);
        _json.WriteEndObject();
        _json.WriteEndArray();

        _json.WriteStartArray("tags"u8);
        foreach (string tag in _surface.Paths.Select(static path => path.Tag).Distinct())
        {
            _json.WriteStartObject();
            _json.WriteString("name"u8, tag);
            _json.WriteEndObject();
        }
        _json.WriteEndArray();

        _json.WriteStartObject("paths"u8);
        foreach (ApiPath path in _surface.Paths) WritePath(path);
        _json.WriteEndObject();
        WriteComponents();
        _json.WriteEndObject();
    }

    private void WritePath(ApiPath path)
    {
        _json.WriteStartObject(path.Template);
        foreach (ApiOperation operation in path.Operations)
        {
            _json.WriteStartObject(operation.Name.ToLowerInvariant());
            WriteOperation(path, operation);
            _json.WriteEndObject();
        }
        _json.WriteEndObject();
    }

    private void WriteOperation(ApiPath path, ApiOperation operation)
    {
        RouteDescription? description = operation.Route.Description;
        _json.WriteStartArray("tags"u8);
        _json.WriteStringValue(path.Tag);
        _json.WriteEndArray();
        _json.WriteString("operationId"u8, operation.Id);
        _json.WriteString("summary"u8, description?.Summary ?? "An endpoint of the application");
        if (description is { Details.Length: > 0 }) _json.WriteString("description"u8, description.Details);
        WriteSecurity(operation.Route);
        WriteParameters(path, operation, description?.Parameters ?? []);
        if (description is not null && operation.HasBody && description.Parameters.Length > 0) WriteBody(description.Parameters);
        else if (operation is { HasBody: true, Route.Access: Access.Proxy } || (description is null && operation.HasBody)) WriteAnyBody();
        WriteResponses(operation, description);
    }

    private void WriteSecurity(Route route)
    {
        _json.WriteStartArray("security"u8);
        if (_surface.NeedsSession(route) || route.Access == Access.Optional)
        {
            if (route.Access == Access.Optional) WriteNoScheme();
            WriteScheme("bearer");
            if (route.TakesTokenParameter) WriteScheme("token");
            WriteScheme("cookie");
            WriteScheme("basic");
        }
        else if (route.Description is { TakesSession: true })
        {
            WriteNoScheme();
            WriteScheme("bearer");
            WriteScheme("cookie");
        }
        else if (route.Access == Access.Proxy && _surface.ProxyAuth == ProxyAuth.Passthrough) WriteScheme("upstream");
        _json.WriteEndArray();
    }

    private void WriteNoScheme()
    {
        _json.WriteStartObject();
        _json.WriteEndObject();
    }

    private void WriteScheme(string name)
    {
        _json.WriteStartObject();
        _json.WriteStartArray(name);
        _json.WriteEndArray();
        _json.WriteEndObject();
    }

    private void WriteParameters(ApiPath path, ApiOperation operation, ParameterDescription[] parameters)
    {
        string[] inPath = [.. path.PathParameters];
        bool inQuery = !operation.HasBody && parameters.Length > 0;
        if (inPath.Length == 0 && !inQuery) return;
        _json.WriteStartArray("parameters"u8);
        foreach (string name in inPath)
        {
            _json.WriteStartObject();
            _json.WriteString("name"u8, name);
            _json.WriteString("in"u8, "path"u8);
            _json.WriteBoolean("required"u8, true);
            _json.WriteStartObject("schema"u8);
            _json.WriteString("type"u8, "string"u8);
            _json.WriteEndObject();
            _json.WriteEndObject();
        }
        foreach (ParameterDescription parameter in inQuery ? parameters : [])
        {
            WriteQueryParameter(parameter);
            if (parameter.Alias is not null) WriteQueryParameter(parameter.Other);
        }
        _json.WriteEndArray();
    }

    private void WriteQueryParameter(ParameterDescription parameter)
    {
        _json.WriteStartObject();
        _json.WriteString("name"u8, parameter.Name);
        _json.WriteString("in"u8, "query"u8);
        _json.WriteString("description"u8, parameter.Meaning);
        // Of two names neither is needed by itself.
        if (parameter is { IsRequired: true, Alias: null }) _json.WriteBoolean("required"u8, true);
        _json.WriteStartObject("schema"u8);
        WriteParameterSchema(parameter);
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    // One schema for the two ways in which a body comes.
    private void WriteBody(ParameterDescription[] parameters)
    {
        _json.WriteStartObject("requestBody"u8);
        if (parameters.Any(static parameter => parameter.IsRequired)) _json.WriteBoolean("required"u8, true);
        _json.WriteStartObject("content"u8);
        foreach (string type in (string[])["application/json", "application/x-www-form-urlencoded"])
        {
            _json.WriteStartObject(type);
            _json.WriteStartObject("schema"u8);
            WriteBodySchema(parameters);
            _json.WriteEndObject();
            _json.WriteEndObject();
        }
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    private void WriteBodySchema(ParameterDescription[] parameters)
    {
        _json.WriteString("type"u8, "object"u8);
        _json.WriteStartObject("properties"u8);
        foreach (ParameterDescription parameter in parameters)
        {
            WriteProperty(parameter);
            if (parameter.Alias is not null) WriteProperty(parameter.Other);
        }
        _json.WriteEndObject();
        string[] required = [.. parameters.Where(static p => p is { IsRequired: true, Alias: null }).Select(static p => p.Name)];
        if (required.Length > 0) WriteRequired(required);
        ParameterDescription[] either = [.. parameters.Where(static p => p is { IsRequired: true, Alias: not null })];
        if (either.Length == 0) return;
        _json.WriteStartArray("allOf"u8);
        foreach (ParameterDescription parameter in either)
        {
            _json.WriteStartObject();
            _json.WriteStartArray("anyOf"u8);
            foreach (string name in (string[])[parameter.Name, parameter.Alias!])
            {
                _json.WriteStartObject();
                WriteRequired(name);
                _json.WriteEndObject();
            }
            _json.WriteEndArray();
            _json.WriteEndObject();
        }
        _json.WriteEndArray();
    }

    private void WriteProperty(ParameterDescription parameter)
    {
        _json.WriteStartObject(parameter.Name);
        WriteParameterSchema(parameter);
        _json.WriteString("description"u8, parameter.Meaning);
        _json.WriteEndObject();
    }

    private void WriteParameterSchema(ParameterDescription parameter)
    {
        switch (parameter.Kind)
        {
            case ParameterKind.Integer:
                _json.WriteString("type"u8, "integer"u8);
                if (parameter.Min is { } min) _json.WriteNumber("minimum"u8, min);
                break;
            case ParameterKind.Flag:
                _json.WriteString("type"u8, "boolean"u8);
                break;
            case ParameterKind.List:
                _json.WriteString("type"u8, "array"u8);
                _json.WriteStartObject("items"u8);
                _json.WriteString("type"u8, "string"u8);
                _json.WriteEndObject();
                break;
            case ParameterKind.Text:
                _json.WriteString("type"u8, "string"u8);
                if (parameter.IsRequired) _json.WriteNumber("minLength"u8, 1);
                if (parameter.MaxLength is { } max) _json.WriteNumber("maxLength"u8, max);
                if (parameter.IsSecret) _json.WriteString("format"u8, "password"u8);
                break;
        }
        if (parameter.Example.Length == 0) return;
        _json.WriteStartArray("examples"u8);
        if (parameter.Kind is ParameterKind.Integer or ParameterKind.Flag) _json.WriteRawValue(parameter.Example);
        else if (parameter.Kind == ParameterKind.List)
        {
            _json.WriteStartArray();
            _json.WriteStringValue(parameter.Example);
            _json.WriteEndArray();
        }
        else _json.WriteStringValue(parameter.Example);
        _json.WriteEndArray();
    }

    private void WriteAnyBody()
    {
        _json.WriteStartObject("requestBody"u8);
        _json.WriteStartObject("content"u8);
        _json.WriteStartObject("*/*"u8);
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.WriteEndObject();
    }

    private void WriteRequired(params ReadOnlySpan<string> names)
    {
        _json.WriteStartArray("required"u8);
        foreach (string name in names) _json.WriteStringValue(name);
        _json.WriteEndArray();
    }
}
