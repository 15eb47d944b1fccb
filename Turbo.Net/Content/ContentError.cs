namespace Turbo.Net.Content;

/// <summary>Why a form or a JSON object was refused.</summary>
public enum ContentError : byte
{
    /// <summary>Not refused.</summary>
    None,
    /// <summary>A percent sign without two hex digits, or text that is not one JSON object.</summary>
    Malformed,
    /// <summary>Bytes, or an escaped surrogate, that are no Unicode text.</summary>
    InvalidText,
    /// <summary>More fields than the reader was told to take.</summary>
    TooManyFields,
}
