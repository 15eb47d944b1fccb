using Turbo.Server.Storage;

namespace Turbo.Server.Api;

/// <summary>What routes on records with an owner have in common: which record, and the answer when it is not the caller's.</summary>
internal static class RecordAccess
{
    /// <summary>Longest id, in characters: Turbo's have 36.</summary>
    public const int MaxId = 64;

    /// <summary>The id under its first name or, where that is absent or empty, its second. "" when refused.</summary>
    public static string Id(Parameters parameters, ReadOnlySpan<byte> name, ReadOnlySpan<byte> otherName)
    {
        string? id = parameters.Text(name, MaxId);
        if (string.IsNullOrEmpty(id)) id = parameters.Text(otherName, MaxId);
        if (string.IsNullOrEmpty(id)) parameters.Miss(name);
        return id ?? "";
    }

    /// <summary>Answers an error unless the call was done.</summary>
    /// <param name="context">The request.</param>
    /// <param name="status">What became of it.</param>
    /// <param name="record">What it was about: <c>group</c>, <c>chat</c> or <c>prompt</c>.</param>
    /// <param name="user">The user that the call names and that does not exist.</param>
    /// <param name="userParam">The field that names it.</param>
    public static bool Refuses(RequestContext context, AccessStatus status, string record, string? user = null, string? userParam = null)
    {
        switch (status)
        {
            case AccessStatus.NotFound:
                context.Fail(ApiError.NoRecord(record, "id"));
                return true;
            case AccessStatus.Forbidden:
                context.Fail(new ApiError(403, $"this is not yours to do with the {record}", Code: "not_allowed"));
                return true;
            case AccessStatus.UnknownUser:
                context.Fail(NoUser(user, userParam));
                return true;
            default:
                return false;
        }
    }

    /// <summary>A user that a call names does not exist.</summary>
    public static ApiError NoUser(string? user, string? param) => ApiError.NoRecord("user", param) with
    {
        // Of a list it says which; what is no id is not repeated.
        Message = user is { Length: > 0 and <= MaxId } ? $"no such user: {user}" : "no such user",
    };
}
