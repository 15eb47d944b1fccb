using System.Buffers;
using System.Text;
using System.Text.Json;
using Turbo.Server.Json;
using Turbo.Server.Storage;
using Turbo.Server.Streams;

namespace Turbo.Server.Api;

/// <summary>
/// Events that users publish and subscribe to, on topics of their own or, with a <c>group_id</c>, of a group they are
/// members of. Neither reaches another's, nor a topic of Turbo's own.
/// </summary>
internal sealed class EventApi(AppHost app, Cors cors)
{
    private const int MaxTopic = 256;

    public async ValueTask PublishAsync(RequestContext context)
    {
        if (!await context.ReadParametersAsync()) return;
        Parameters parameters = context.Parameters;
        string topic = Topic(parameters);
        ReadOnlyMemory<byte>? json = parameters.HasJsonBody ? await DataOfAsync(context) : null;
        string? text = json is null ? parameters.Text("data"u8, int.MaxValue) : null;
        if (json is null && text is null) parameters.Miss("data"u8);
        long bytes = json?.Length ?? Encoding.UTF8.GetByteCount(text ?? "");
        if (bytes > app.Options.EventDataBytes) parameters.Refuse("data"u8, $"is longer than {app.Options.EventDataBytes} bytes");
        string? group = Group(parameters);
        if (context.RefusesParameters()) return;

        string user = context.RequiredSession.UserId;
        if (group is not null && !await IsMemberAsync(context, new Membership(group, user))) return;
        string busTopic = BusTopic(topic, group, user);
        if (!app.EventBus.HasSubscribers(busTopic) || await app.EventBus.PublishAsync(busTopic, Event(topic, user, group, json, text))) context.SendEmptyObject();
        else context.Fail(ApiError.BusAway);
    }

    public async ValueTask SubscribeAsync(RequestContext context)
    {
        if (StreamApi.RefusesPage(context, cors) || !await context.ReadParametersAsync()) return;
        string topic = Topic(context.Parameters);
        string? group = Group(context.Parameters);
        if (context.RefusesParameters()) return;

        string user = context.RequiredSession.UserId;
        if (group is null)
        {
            await app.Streams.ServeAsync(context, BusTopic(topic, null, user), null, static () => new ValueTask<bool>(true));
            return;
        }
        Membership membership = new(group, user);
        await app.Streams.ServeAsync(context, BusTopic(topic, group, user), new StreamAccess(AccessScope.Group, membership), () => IsMemberAsync(context, membership));
    }

    // What stands before the topic holds no part of it, so no topic can be made to look like another's or Turbo's.
    private static string BusTopic(string topic, string? group, string user) =>
        group is null ? $"event:user:{user}:{topic}" : $"event:group:{group}:{topic}";

    private static string Topic(Parameters parameters)
    {
        string topic = parameters.RequiredText("topic"u8, MaxTopic);
        if (topic.AsSpan().IndexOfAnyInRange('\u0000', '\u001f') >= 0) parameters.Refuse("topic"u8, "has a control character");
        return topic;
    }

    private static string? Group(Parameters parameters) =>
        parameters.Text("group_id"u8, RecordAccess.MaxId) is { Length: > 0 } group ? group : null;

    private async ValueTask<bool> IsMemberAsync(RequestContext context, Membership membership)
    {
        if (await app.Db.Groups.IsMemberAsync(membership.RecordId, membership.UserId)) return true;
        context.Fail(ApiError.NoRecord("group", "group_id"));
        return false;
    }

    /// <summary>The value of <c>data</c> in a JSON body as it stands, whatever its type; null where there is none.</summary>
    private static async ValueTask<ReadOnlyMemory<byte>?> DataOfAsync(RequestContext context)
    {
        // Gathered and checked before: this only finds the value in it. The last one counts, as with every parameter.
        ReadOnlyMemory<byte> body = (await context.Exchange.Body.ReadAllAsync()).Bytes;
        return Find(body);

        static ReadOnlyMemory<byte>? Find(ReadOnlyMemory<byte> body)
        {
            ReadOnlyMemory<byte>? found = null;
            Utf8JsonReader reader = new(body.Span);
            reader.Read();
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isData = reader.ValueTextEquals("data"u8);
                reader.Read();
                int start = (int)reader.TokenStartIndex;
                bool isNull = reader.TokenType == JsonTokenType.Null;
                reader.Skip();
                if (!isData) continue;
                found = null;
                if (!isNull) found = OneLine(body.Span[start..(int)reader.BytesConsumed]);
            }
            return found;
        }
    }

    // Within a string a line end is escaped: one that is not is white space. An event is one data line then.
    private static byte[] OneLine(ReadOnlySpan<byte> json)
    {
        byte[] line = json.ToArray();
        line.AsSpan().Replace((byte)'\n', (byte)' ');
        line.AsSpan().Replace((byte)'\r', (byte)' ');
        return line;
    }

    private static ReadOnlyMemory<byte> Event(string topic, string user, string? group, ReadOnlyMemory<byte>? json, string? text)
    {
        ArrayBufferWriter<byte> output = new(512);
        JsonOutput.Write(output, (topic, user, group, json, text), static (writer, what) =>
        {
            writer.WriteStartObject();
            writer.WriteString("topic"u8, what.topic);
            writer.WritePropertyName("data"u8);
            if (what.json is { } json) writer.WriteRawValue(json.Span, skipInputValidation: true);
            else writer.WriteStringValue(what.text);
            writer.WriteString("user_id"u8, what.user);
            writer.WriteString("group_id"u8, what.group ?? "");
            writer.WriteEndObject();
        });
        return output.WrittenMemory;
    }
}
