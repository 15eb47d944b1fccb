namespace Turbo.Server.Storage;

/// <summary>What became of a call on a record that the caller may or may not use.</summary>
internal enum AccessStatus
{
    Done,

    /// <summary>There is no such record, or it is none that the caller may know of (404). Nothing happened.</summary>
    NotFound,

    /// <summary>The caller may know of the record and may not do this (403). Nothing happened.</summary>
    Forbidden,

    /// <summary>A user that the call names does not exist (404). Nothing happened.</summary>
    UnknownUser,
}

/// <summary>A record (a chat or a group) and a user who may or may not have access to it.</summary>
internal readonly record struct Membership(string RecordId, string UserId);
