namespace Turbo.Server;

/// <summary>One message of a conversation.</summary>
/// <param name="Role">Who said it.</param>
/// <param name="Text">What was said.</param>
public readonly record struct AiMessage(AiRole Role, string Text);

/// <summary>Who said a message of a conversation.</summary>
public enum AiRole : byte
{
    /// <summary>Whoever asks.</summary>
    User,

    /// <summary>The model.</summary>
    Assistant,

    /// <summary>The application, which tells the model how to behave.</summary>
    System,
}
