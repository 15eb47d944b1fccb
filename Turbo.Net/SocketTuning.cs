namespace Turbo.Net;

/// <summary>Process-wide socket settings, which a library must not change behind its host's back.</summary>
public static class SocketTuning
{
    private const string Variable = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>
    /// Lets socket completions, and so handlers, run on the threads that wait for the sockets: no hand-over to the
    /// thread pool per read. Only for programs whose handlers never block. Call it before the first socket is made;
    /// a value already in the environment is left as it is.
    /// </summary>
    public static void UseInlineCompletions()
    {
        if (Environment.GetEnvironmentVariable(Variable) is null) Environment.SetEnvironmentVariable(Variable, "1");
    }
}
