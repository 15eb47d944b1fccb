using System.Text;
using Turbo.Net;
using HttpMethod = Turbo.Net.HttpMethod;

namespace Turbo.Server;

public sealed partial class TurboApp
{
    private static readonly HttpMethod[] s_all = [HttpMethod.Get, HttpMethod.Post, HttpMethod.Put, HttpMethod.Patch, HttpMethod.Delete];

    /// <summary>Registers an endpoint for GET, HEAD, POST, PUT, PATCH and DELETE.</summary>
    /// <param name="path">
    /// Compared as sent; <c>/note/{id}</c> has a parameter, which stands for one segment (<see cref="AppRequest.PathValue"/>),
    /// and <c>/files/*</c> is everything below. An exact path comes before one with parameters, that before one with
    /// <c>*</c>. Turbo's own paths are taken.
    /// </param>
    /// <param name="handler">Answers the request. It runs on the thread pool and may block, unless <paramref name="isInline"/>.</param>
    /// <param name="isPrivate">Whether only holders of a session are let in; others are answered 401. True unless said otherwise.</param>
    /// <param name="isInline">
    /// Runs the handler on the socket's thread, which saves the way to the pool. Nothing in it may block then: neither a
    /// lock nor a file nor one of the methods here that say that they block.
    /// </param>
    /// <exception cref="ArgumentException">The path is malformed, or taken.</exception>
    public TurboApp Register(string path, Func<AppRequest, Task> handler, bool isPrivate = true, bool isInline = false) => Add(s_all, path, handler, isPrivate, isInline);

    /// <inheritdoc cref="Register(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Register(string path, Action<AppRequest> handler, bool isPrivate = true, bool isInline = false) => Add(s_all, path, Async(handler), isPrivate, isInline);

    /// <summary>Registers an endpoint for GET and HEAD.</summary>
    /// <inheritdoc cref="Register(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Get(string path, Func<AppRequest, Task> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Get], path, handler, isPrivate, isInline);

    /// <inheritdoc cref="Get(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Get(string path, Action<AppRequest> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Get], path, Async(handler), isPrivate, isInline);

    /// <summary>Registers an endpoint for POST.</summary>
    /// <inheritdoc cref="Register(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Post(string path, Func<AppRequest, Task> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Post], path, handler, isPrivate, isInline);

    /// <inheritdoc cref="Post(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Post(string path, Action<AppRequest> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Post], path, Async(handler), isPrivate, isInline);

    /// <summary>Registers an endpoint for PUT.</summary>
    /// <inheritdoc cref="Register(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Put(string path, Func<AppRequest, Task> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Put], path, handler, isPrivate, isInline);

    /// <inheritdoc cref="Put(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Put(string path, Action<AppRequest> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Put], path, Async(handler), isPrivate, isInline);

    /// <summary>Registers an endpoint for PATCH.</summary>
    /// <inheritdoc cref="Register(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Patch(string path, Func<AppRequest, Task> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Patch], path, handler, isPrivate, isInline);

    /// <inheritdoc cref="Patch(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Patch(string path, Action<AppRequest> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Patch], path, Async(handler), isPrivate, isInline);

    /// <summary>Registers an endpoint for DELETE.</summary>
    /// <inheritdoc cref="Register(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Delete(string path, Func<AppRequest, Task> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Delete], path, handler, isPrivate, isInline);

    /// <inheritdoc cref="Delete(string, Func{AppRequest, Task}, bool, bool)"/>
    public TurboApp Delete(string path, Action<AppRequest> handler, bool isPrivate = true, bool isInline = false) => Add([HttpMethod.Delete], path, Async(handler), isPrivate, isInline);

    /// <summary>
    /// Runs before the handler of every request that a route of the application or of Turbo's takes, once it is let in;
    /// several run in the order of the calls. One that answers the request ends it: no later hook and no handler runs.
    /// The probes (<c>/healthz</c>, <c>/readyz</c>, <c>/metrics</c>) have no hooks.
    /// </summary>
    public TurboApp Before(Func<AppRequest, Task> hook)
    {
        CheckIsNew();
        _extension.Before.Add(hook);
        return this;
    }

    /// <inheritdoc cref="Before(Func{AppRequest, Task})"/>
    public TurboApp Before(Action<AppRequest> hook) => Before(Async(hook));

    /// <summary>
    /// Runs after the handler, whatever became of the request (<see cref="AppRequest.Status"/>,
    /// <see cref="AppRequest.Elapsed"/>), and before an answer that is not a stream leaves. What it throws is logged and
    /// changes nothing.
    /// </summary>
    public TurboApp After(Func<AppRequest, Task> hook)
    {
        CheckIsNew();
        _extension.After.Add(hook);
        return this;
    }

    /// <inheritdoc cref="After(Func{AppRequest, Task})"/>
    public TurboApp After(Action<AppRequest> hook) => After(Async(hook));

    private TurboApp Add(HttpMethod[] methods, string path, Func<AppRequest, Task> handler, bool isPrivate, bool isInline)
    {
        ArgumentNullException.ThrowIfNull(handler);
        CheckIsNew();
        _extension.Add(methods, Encoding.UTF8.GetBytes(path), handler, isPrivate, isInline);
        return this;
    }

    private static Func<AppRequest, Task> Async(Action<AppRequest> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return request =>
        {
            handler(request);
            return Task.CompletedTask;
        };
    }
}
