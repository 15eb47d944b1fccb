using System.Buffers;
using System.Text;
using System.Text.Json;
using Turbo.Server.Json;
using Turbo.Server.Model;

namespace Turbo.Tests.Server.Json;

/// <summary>Contract sections 2 and 4 to 7: names and their order.</summary>
[TestFixture]
internal sealed class JsonShapeTests
{
    private static readonly DateTime s_created = new DateTime(2026, 11, 23, 8, 48, 6, DateTimeKind.Utc).AddTicks(1057222);

    private static readonly Group s_group = new()
    {
        Id = "g", CreatedAt = s_created, UpdatedAt = s_created.AddSeconds(1), Name = "team", Description = "golden team", OwnerId = "u",
    };

    private static readonly User s_user = new()
    {
        Id = "u", CreatedAt = s_created, UpdatedAt = s_created, FirstName = "Ünï ☃ \"q\" </b> 😀", LastName = "",
        Username = "ann@x", PasswordHash = "$2a$10$secret", Groups = [s_group],
    };

    private const string GroupText =
        """{"CreatedAt":"2026-11-23T08:48:06.1057222Z","UpdatedAt":"2026-11-23T08:48:07.1057222Z","DeletedAt":null,"id":"g","name":"team","description":"golden team","owner_id":"u"}""";

    private const string UserText =
        """{"CreatedAt":"2026-11-23T08:48:06.1057222Z","UpdatedAt":"2026-11-23T08:48:06.1057222Z","DeletedAt":null,"id":"u","first_name":"Ünï ☃ \"q\" </b> \uD83D\uDE00","last_name":"","username":"ann@x","groups":["""
        + GroupText + "]}";

    private static string Text(Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    [Test]
    public void Group() => Assert.That(Text(output => GroupJson.Write(output, s_group)), Is.EqualTo(GroupText));

    [Test]
    public void A_deleted_entity_says_when() => Assert.That(
        Text(output => GroupJson.Write(output, s_group with { DeletedAt = s_created })),
        Does.Contain("""
            "DeletedAt":"2026-11-23T08:48:06.1057222Z",
            """));

    [Test]
    public void User_in_its_wrapping() =>
        Assert.That(Text(output => UserJson.WriteWrapped(output, s_user)), Is.EqualTo($$"""{"user":{{UserText}}}"""));

    [Test]
    public void No_groups_are_an_empty_array() =>
        Assert.That(Text(output => UserJson.WriteWrapped(output, s_user with { Groups = [] })), Does.EndWith("""
            "groups":[]}}
            """));

    [Test]
    public void Log_in_and_sign_up_with_a_made_password()
    {
        Assert.That(Text(output => UserJson.WriteLogIn(output, "t+/=", s_user)),
            Is.EqualTo($$"""{"Token":"t+/=","User":{{UserText}}}"""));
        Assert.That(Text(output => UserJson.WriteLogIn(output, "t", s_user, "made")),
            Is.EqualTo($$"""{"Token":"t","User":{{UserText}},"password":"made"}"""));
    }

    [Test]
    public void Event_keeps_its_capitalised_names()
    {
        var row = new EventRow { Id = Guid.Parse("212c19bc-c6b9-4dc5-a9dd-5901072c0d3a"), Timestamp = s_created, CreatedAt = s_created, Status = 200, Duration = 6393882, UserId = "u" };
        row.ClientIp.Set("127.0.0.1"u8);
        row.Endpoint.Set("/v1/models"u8);
        row.Method.Set("GET"u8);
        row.Params.Set("a=1&b=2"u8);
        row.Response.Set("{\"data\":[]}"u8);
        Assert.That(Text(output => EventJson.Write(output, row)), Is.EqualTo(
            """{"CreatedAt":"2026-11-23T08:48:06.1057222Z","UpdatedAt":"2026-11-23T08:48:06.1057222Z","DeletedAt":null,"ID":"212c19bc-c6b9-4dc5-a9dd-5901072c0d3a","Timestamp":"2026-11-23T08:48:06.1057222Z","ClientIP":"127.0.0.1","Endpoint":"/v1/models","Request":"","Response":"{\"data\":[]}","Status":200,"Message":"","Duration":6393882,"Method":"GET","Params":"a=1&b=2","UserID":"u"}"""));
    }

    private static readonly Chat s_chat = new()
    {
        Id = "c", CreatedAt = s_created, UpdatedAt = s_created.AddSeconds(1), Name = "general", Model = "gpt-3", UserId = "u", GroupId = "g",
    };

    private static readonly ChatMessage s_message = new()
    {
        Id = "m", CreatedAt = s_created, UpdatedAt = s_created, ChatId = "c", UserId = "u", GroupId = "g",
        Prompt = "ünï ☃ \"q\"\n", Reply = "Hi there", Model = "gpt-3", Otr = true,
    };

    private const string ChatText =
        """{"CreatedAt":"2026-11-23T08:48:06.1057222Z","UpdatedAt":"2026-11-23T08:48:07.1057222Z","DeletedAt":null,"id":"c","name":"general","model":"gpt-3","user_id":"u","group_id":"g"}""";

    private const string MessageText =
        """{"CreatedAt":"2026-11-23T08:48:06.1057222Z","UpdatedAt":"2026-11-23T08:48:06.1057222Z","DeletedAt":null,"id":"m","chat_id":"c","user_id":"u","group_id":"g","prompt":"ünï ☃ \"q\"\n","reply":"Hi there","model":"gpt-3","otr":true}""";

    [Test]
    public void Chat_alone_in_an_index_and_in_a_reading()
    {
        Assert.That(Text(output => ChatJson.Write(output, s_chat)), Is.EqualTo(ChatText));
        Assert.That(Text(output => ChatJson.WriteIndex(output, [s_chat, s_chat])), Is.EqualTo($$"""{"chats":[{{ChatText}},{{ChatText}}]}"""));
        Assert.That(Text(output => ChatJson.WriteIndex(output, [])), Is.EqualTo("""{"chats":[]}"""));
        Assert.That(Text(output => ChatJson.WriteReading(output, s_chat, [s_message], [s_user])),
            Is.EqualTo($$"""{"chat":{{ChatText}},"messages":[{{MessageText}}],"users":[{{UserText}}]}"""));
        Assert.That(Text(output => ChatJson.WriteReading(output, s_chat, [], [])),
            Is.EqualTo($$"""{"chat":{{ChatText}},"messages":[],"users":[]}"""));
    }

    [Test]
    public void Message_as_an_answer_and_in_a_stream()
    {
        Assert.That(Text(output => MessageJson.WriteReply(output, s_message)), Is.EqualTo($$"""{"message":{{MessageText}},"reply":"Hi there"}"""));
        Assert.That(Text(output => MessageJson.WriteStreamed(output, s_message, s_message.Reply, partial: false)),
            Is.EqualTo($$"""{"message":{{MessageText}},"partial":false}"""));
        Assert.That(Text(output => MessageJson.WriteStreamed(output, s_message, " there", partial: true)),
            Is.EqualTo($$"""{"message":{{MessageText.Replace("Hi there", " there")}},"partial":true}"""));
        Assert.That(Text(output => MessageJson.WriteStreamed(output, s_message, "", partial: false, "upstream broke off")),
            Is.EqualTo($$"""{"message":{{MessageText.Replace("Hi there", "")}},"partial":false,"error":"upstream broke off"}"""));
    }

    [Test]
    public void The_hash_is_nowhere()
    {
        Assert.That(Text(output => UserJson.WriteLogIn(output, "t", s_user)), Does.Not.Contain("secret"));
        Assert.That(s_user.ToString(), Does.Not.Contain("secret"));
    }

    [Test]
    public void Writing_allocates_nothing_once_warm()
    {
        var output = new ArrayBufferWriter<byte>(64 * 1024);
        Write(100);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Write(100);
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);

        void Write(int times)
        {
            for (int i = 0; i < times; i++)
            {
                output.ResetWrittenCount();
                GroupJson.Write(output, s_group);
                UserJson.WriteWrapped(output, s_user);
            }
        }
    }

    [Test]
    public void A_value_that_fails_midway_spoils_nothing()
    {
        Assert.Throws<InvalidOperationException>(() => JsonOutput.Write(new ArrayBufferWriter<byte>(), 0, static (writer, _) =>
        {
            writer.WriteStartObject();
            throw new InvalidOperationException();
        }));
        using JsonDocument document = JsonDocument.Parse(Text(output => GroupJson.Write(output, s_group)));
        Assert.That(document.RootElement.GetProperty("id").GetString(), Is.EqualTo("g"));
    }
}
