using System.Buffers;
using System.Text.Json;
using Turbo.Server.Model;

namespace Turbo.Server.Json;

/// <summary>
/// A user: <c>CreatedAt, UpdatedAt, DeletedAt, id, first_name, last_name, username, groups</c>; never the hash.
/// </summary>
internal static class UserJson
{
    private static readonly JsonEncodedText s_id = JsonEncodedText.Encode("id");
    private static readonly JsonEncodedText s_firstName = JsonEncodedText.Encode("first_name");
    private static readonly JsonEncodedText s_lastName = JsonEncodedText.Encode("last_name");
    private static readonly JsonEncodedText s_username = JsonEncodedText.Encode("username");
    private static readonly JsonEncodedText s_groups = JsonEncodedText.Encode("groups");
    private static readonly JsonEncodedText s_user = JsonEncodedText.Encode("user");
    private static readonly JsonEncodedText s_users = JsonEncodedText.Encode("users");
    private static readonly JsonEncodedText s_logInToken = JsonEncodedText.Encode("Token");
    private static readonly JsonEncodedText s_logInUser = JsonEncodedText.Encode("User");
    private static readonly JsonEncodedText s_password = JsonEncodedText.Encode("password");

    public static void Write(Utf8JsonWriter writer, User user)
    {
        writer.WriteStartObject();
        writer.WriteTimes(user.CreatedAt, user.UpdatedAt, user.DeletedAt);
        writer.WriteString(s_id, user.Id);
        writer.WriteString(s_firstName, user.FirstName);
        writer.WriteString(s_lastName, user.LastName);
        writer.WriteString(s_username, user.Username);
        writer.WriteStartArray(s_groups);
        // By index: an interface's enumerator is an allocation.
        for (int i = 0; i < user.Groups.Count; i++)
            GroupJson.Write(writer, user.Groups[i]);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    /// <summary><c>{"user"}</c>, the answer of read, update and session.</summary>
    public static void WriteWrapped(IBufferWriter<byte> output, User user) =>
        JsonOutput.Write(output, user, static (writer, user) =>
        {
            writer.WriteStartObject();
            writer.WritePropertyName(s_user);
            Write(writer, user);
            writer.WriteEndObject();
        });

    /// <summary><c>{"users"}</c>, the answer of a group's members.</summary>
    public static void WriteIndex(IBufferWriter<byte> output, IReadOnlyList<User> users) =>
        JsonOutput.Write(output, users, static (writer, users) =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray(s_users);
            for (int i = 0; i < users.Count; i++)
                Write(writer, users[i]);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });

    /// <summary>
    /// <c>{"Token","User"}</c>, the answer of sign-up and login; after a sign-up without a password also the
    /// <c>password</c> that was made for it.
    /// </summary>
    public static void WriteLogIn(IBufferWriter<byte> output, string token, User user, string? generatedPassword = null) =>
        JsonOutput.Write(output, (token, user, generatedPassword), static (writer, logIn) =>
        {
            writer.WriteStartObject();
            writer.WriteString(s_logInToken, logIn.token);
            writer.WritePropertyName(s_logInUser);
            Write(writer, logIn.user);
            if (logIn.generatedPassword is not null)
                writer.WriteString(s_password, logIn.generatedPassword);
            writer.WriteEndObject();
        });
}
