using Turbo.Net.WebSocket;
using Turbo.Tests.Support;

namespace Turbo.Tests.Net.WebSocket;

/// <summary>RFC 6455 §4.2: the opening handshake as a server reads and answers it.</summary>
internal sealed class HandshakeTests : WebSocketFixture
{
    private const string Good =
        "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

    [Test]
    public void The_example_of_the_RFC()
    {
        string[] lines = Connect().Send(Good).TakeText().Split("\r\n");
        Assert.That(lines[0], Is.EqualTo("HTTP/1.1 101 Switching Protocols"));
        Assert.That(lines[1], Does.StartWith("Date: "));
        Assert.That(lines[2..], Is.EqualTo(new[] { "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "", "" }));
    }

    [Test]
    public void Cut_at_every_octet()
    {
        for (int at = 1; at < Good.Length; at++)
        {
            MemoryClient client = Connect();
            client.Send(Good[..at]);
            Assert.That(client.TakeText(), Is.Empty, $"answered after {at}");
            client.Send(Good[at..]);
            Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 101 "), $"cut at {at}");
        }
    }

    [Test]
    public void Frames_sent_along_with_it_are_answered()
    {
        MemoryClient client = Connect();
        client.Send([.. Segmented.Bytes(Good), .. Frame.Text("early").Masked(), .. Frame.Text("birds").Masked()]);
        ReadOnlySpan<byte> received = client.Take();
        int head = received.IndexOf("\r\n\r\n"u8) + 4;
        Assert.That(Frame.Show(received[head..]), Is.EqualTo("text early | text birds"));
    }

    [TestCase("Upgrade: websocket", "Upgrade: WebSocket", TestName = "the token in another case")]
    [TestCase("Upgrade: websocket", "Upgrade: h2c, websocket", TestName = "among other protocols")]
    [TestCase("Connection: Upgrade", "Connection: keep-alive, Upgrade", TestName = "as Firefox sends it")]
    [TestCase("Connection: Upgrade", "connection: keep-alive\r\nConnection: upgrade", TestName = "Connection in two lines")]
    [TestCase("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==  ", TestName = "white space around the key")]
    [TestCase("Host: h\r\n", "Host: h\r\nContent-Length: 0\r\n", TestName = "a length of no content")]
    [TestCase("Host: h\r\n", "Host: h\r\nOrigin: https://elsewhere.example\r\n", TestName = "another origin, which is the handler's to judge")]
    public void Accepted(string instead, string with) =>
        Assert.That(Connect().Send(Good.Replace(instead, with)).TakeText(), Does.StartWith("HTTP/1.1 101 ").And.Contain("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));

    [TestCase("GET ", "POST ", 405, "Allow: GET")]
    [TestCase("GET ", "HEAD ", 405, "Allow: GET")]
    [TestCase("HTTP/1.1\r\n", "HTTP/1.0\r\n", 426, "Upgrade: websocket")]
    [TestCase("Upgrade: websocket\r\n", "", 426, "Upgrade: websocket")]
    [TestCase("Upgrade: websocket", "Upgrade: websockets", 426, "Upgrade: websocket")]
    [TestCase("Connection: Upgrade\r\n", "", 426, "Connection: Upgrade")]
    [TestCase("Connection: Upgrade", "Connection: keep-alive", 426, "Connection: Upgrade")]
    [TestCase("Version: 13", "Version: 8", 426, "Sec-WebSocket-Version: 13")]
    [TestCase("Version: 13", "Version: 14", 426, "Sec-WebSocket-Version: 13")]
    [TestCase("Version: 13", "Version: 013", 426, "Sec-WebSocket-Version: 13")]
    [TestCase("Version: 13", "Version: 13, 8", 426, "Sec-WebSocket-Version: 13")]
    [TestCase("Version: 13", "Version: ", 426, "Sec-WebSocket-Version: 13")]
    [TestCase("Sec-WebSocket-Version: 13\r\n", "", 400, "Connection")]
    [TestCase("Version: 13\r\n", "Version: 13\r\nSec-WebSocket-Version: 13\r\n", 400, "Connection")]
    [TestCase("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400, "Connection")]
    [TestCase("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400, "Connection")]
    [TestCase("dGhlIHNhbXBsZSBub25jZQ==", "", 400, "Connection")]
    [TestCase("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=", 400, "Connection")]
    [TestCase("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ", 400, "Connection")]
    [TestCase("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ===", 400, "Connection")]
    [TestCase("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZXM=", 400, "Connection")]
    [TestCase("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZXNz", 400, "Connection")]
    [TestCase("dGhlIHNhbXBsZSBub25jZQ==", "dGhl IHNhbXBsZSBub25jZQ=", 400, "Connection")]
    [TestCase("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q==", 400, "Connection")]
    [TestCase("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZS-_b25jZQ==", 400, "Connection")]
    [TestCase("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\nabc", 400, "Connection")]
    [TestCase("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "Connection")]
    [TestCase("\r\n\r\n", "\r\nSec-WebSocket-Protocol: \r\n\r\n", 400, "Connection")]
    [TestCase("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a b\r\n\r\n", 400, "Connection")]
    [TestCase("\r\n\r\n", "\r\nSec-WebSocket-Protocol: a, \"b\"\r\n\r\n", 400, "Connection")]
    [TestCase("\r\n\r\n", "\r\nSec-WebSocket-Extensions: a;\r\n\r\n", 400, "Connection")]
    public void Refused(string instead, string with, int status, string has)
    {
        string head = Connect().Send(Good.Replace(instead, with)).TakeText();
        Assert.That(head, Does.StartWith($"HTTP/1.1 {status} "));
        if (has != "Connection") Assert.That(head, Does.Contain($"\r\n{has}\r\n"));
        if (with != "HEAD ") Assert.That(head, Does.Not.EndWith("\r\n\r\n"), "the server's error writer says why");
        Assert.That(head, Does.Not.Contain("Sec-WebSocket-Accept"));
    }

    [TestCase("", "", "", TestName = "none offered, none spoken")]
    [TestCase("chat, superchat", "", "", TestName = "none spoken")]
    [TestCase("chat, superchat", "superchat chat", "chat", TestName = "the client's order counts")]
    [TestCase("chat, superchat", "superchat", "superchat", TestName = "the second")]
    [TestCase("Chat", "chat", "", TestName = "names have a case")]
    [TestCase("chat", "chatty", "", TestName = "whole names only")]
    [TestCase("a\r\nSec-WebSocket-Protocol: chat", "chat", "chat", TestName = "in a second line")]
    [TestCase(",chat ,\tb,", "b chat", "chat", TestName = "empty elements and white space")]
    public void Subprotocol(string offered, string spoken, string accepted)
    {
        string? seen = "not run";
        Options = new WebSocketOptions { Subprotocols = spoken.Split(' ', StringSplitOptions.RemoveEmptyEntries) };
        Handler = socket =>
        {
            seen = socket.Subprotocol;
            return default;
        };
        string fields = offered.Length == 0 ? "" : $"Sec-WebSocket-Protocol: {offered}\r\n";
        string head = Connect().Send(Handshake + fields + "\r\n").TakeText();
        Assert.That(head, Does.StartWith("HTTP/1.1 101 "));
        if (accepted.Length == 0) Assert.That(head, Does.Not.Contain("Sec-WebSocket-Protocol"));
        else Assert.That(head, Does.Contain($"\r\nSec-WebSocket-Protocol: {accepted}\r\n"));
        Assert.That(seen, Is.EqualTo(accepted.Length == 0 ? null : accepted));
    }

    [Test]
    public void The_first_subprotocol_whatever_it_is()
    {
        Options = new WebSocketOptions { AcceptsAnySubprotocol = true };
        Assert.That(Connect().Send(Handshake + "Sec-WebSocket-Protocol: x, y\r\n\r\n").TakeText(), Does.Contain("\r\nSec-WebSocket-Protocol: x\r\n"));
        Assert.That(Connect().Send(Handshake + "\r\n").TakeText(), Does.Not.Contain("Sec-WebSocket-Protocol"));
    }

    [Test]
    public void A_refused_request_leaves_the_connection_usable()
    {
        MemoryClient client = Connect();
        client.Send("GET /ws HTTP/1.1\r\nHost: h\r\n\r\n");
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 426 "));
        client.Send(Good);
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 101 "));
        Assert.That(Exchange(client, Frame.Text("x")), Is.EqualTo("text x"));
    }

    [Test]
    public async Task A_client_that_is_watched_already_is_told_nothing()
    {
        await using NetServer server = new(async exchange =>
        {
            _ = exchange.Aborted;
            Assert.That(async () => await WebSocketHandshake.AcceptAsync(exchange, WebSocketOptions.Default), Throws.InvalidOperationException);
            exchange.Response.Send(500, default, default);
        }, null, _time, listens: false);
        MemoryClient client = server.ConnectInMemory().Send(Good);
        Assert.That(client.TakeText(), Does.StartWith("HTTP/1.1 500 "));
        Assert.That(server.Log.HandlerFaults, Is.Empty);
        client.Fin();
    }
}
