using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Mock;

internal sealed class MockUploadTests : MockFixture
{
    private const string Boundary = "--frontier";

    protected override MockOptions Options => new() { MaxKeptBytes = 1024, MaxFiles = 3, MaxUploadBytes = 80 << 20 };

    private const string Form =
        "preamble\r\n--" + Boundary + "\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nfine-tune\r\n" +
        "--" + Boundary + "  \r\ncontent-type: application/octet-stream\r\ncontent-disposition: form-data; filename=\"a;\\\"b\\\".bin\"; name=file\r\n\r\n" +
        "\r\n-\r\n--\r\n--" + "--front" + "\r\n\r\n--" + Boundary + "--\r\nepilogue";

    private const string FileOfForm = "\r\n-\r\n--\r\n--" + "--front" + "\r\n";

    [Test]
    public void A_form_in_pieces_of_every_size()
    {
        // One chunk at a time is what the reader gets: each length cuts the boundaries elsewhere.
        for (int size = 1; size <= Form.Length; size++)
        {
            using RawClient client = Connect();
            StringBuilder wire = new($"POST /v1/files HTTP/1.1\r\nHost: mock\r\nContent-Type: multipart/form-data; boundary=\"{Boundary}\"\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (int at = 0; at < Form.Length; at += size)
            {
                string piece = Form.Substring(at, Math.Min(size, Form.Length - at));
                wire.Append(CultureInfo.InvariantCulture, $"{piece.Length:x}\r\n{piece}\r\n");
            }
            JsonElement file = Json(client.Send(wire.Append("0\r\n\r\n").ToString()).Read());
            Assert.That(file.GetProperty("filename").GetString(), Is.EqualTo("a;\"b\".bin"));
            Assert.That(file.GetProperty("purpose").GetString(), Is.EqualTo("fine-tune"));
            Assert.That(file.GetProperty("sha256").GetString(), Is.EqualTo(Hash(Encoding.ASCII.GetBytes(FileOfForm))), $"in pieces of {size}");
        }
    }

    [Test]
    public void Files_are_listed_read_and_deleted()
    {
        byte[] content = RandomNumberGenerator.GetBytes(1024);
        string id = Json(Upload(content)).GetProperty("id").GetString()!;
        Assert.That(Get($"/v1/files/{id}/content").Body, Is.EqualTo(content));
        Assert.That(Json(Get($"/v1/files/{id}")).GetProperty("bytes").GetInt32(), Is.EqualTo(1024));
        Assert.That(Json(Get("/v1/files")).GetProperty("data")[0].GetProperty("id").GetString(), Is.EqualTo(id));
        using (RawClient client = Connect())
            Assert.That(Json(client.Exchange($"DELETE /v1/files/{id} HTTP/1.1\r\nHost: mock\r\n\r\n")).GetProperty("deleted").GetBoolean());
        Error(Get($"/v1/files/{id}"), 404);
        Assert.That(Get("/v1/files").Text, Is.EqualTo("""{"object":"list","data":[],"first_id":null,"last_id":null,"has_more":false}"""));
    }

    [Test]
    public void Only_the_newest_files_are_remembered()
    {
        string?[] ids = [.. Enumerable.Range(0, 4).Select(_ => Json(Upload([1])).GetProperty("id").GetString())];
        Assert.That(Json(Get("/v1/files")).GetProperty("data").EnumerateArray().Select(static f => f.GetProperty("id").GetString()), Is.EqualTo(new[] { ids[3], ids[2], ids[1] }));
        Error(Get($"/v1/files/{ids[0]}"), 404);
    }

    [Test]
    public void A_large_file_is_hashed_and_not_kept()
    {
        byte[] content = new byte[1025];
        string id = Json(Upload(content)).GetProperty("id").GetString()!;
        Assert.That(Json(Get($"/v1/files/{id}")).GetProperty("sha256").GetString(), Is.EqualTo(Hash(content)));
        Assert.That(Error(Get($"/v1/files/{id}/content"), 400).GetProperty("param").GetString(), Is.EqualTo("file_id"));
    }

    [Test]
    public void Sixty_four_MiB_in_constant_memory()
    {
        const int Pieces = 1024;
        byte[] piece = RandomNumberGenerator.GetBytes(64 * 1024);
        // Once before, so that what is made once is not counted.
        Json(Upload(piece));

        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        (string head, string tail) = Around("big.bin");
        using RawClient client = Connect();
        long before = GC.GetTotalAllocatedBytes(precise: true);
        client.Send(Head(head.Length + tail.Length + (long)Pieces * piece.Length) + head);
        for (int i = 0; i < Pieces; i++)
        {
            client.Send(piece);
            hash.AppendData(piece);
        }
        JsonElement file = Json(client.Send(tail).Read());
        long allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        Assert.That(file.GetProperty("bytes").GetInt64(), Is.EqualTo(64 << 20));
        Assert.That(file.GetProperty("sha256").GetString(), Is.EqualTo(Convert.ToHexStringLower(hash.GetHashAndReset())));
        // Far more in a debug build, whose async methods allocate each time; buffering the content would take all of it.
        Assert.That(allocated, Is.LessThan(16 << 20), "bytes allocated for 64 MiB, by client and server");
    }

    [Test]
    public void An_upload_is_bounded()
    {
        using RawClient client = Connect();
        Error(client.Send(Head((80 << 20) + 1)).Read(), 413);
    }

    [Test]
    public async Task A_client_that_leaves_within_an_upload_is_noticed([Values] bool byReset)
    {
        RawClient client = Connect();
        client.Send(Head(1_000_000) + Around("x").Head + "some of it");
        await Until.TrueAsync(() => Mock.Stats.Active == 1);
        if (byReset) client.Reset();
        else client.Dispose();
        await Until.TrueAsync(() => Mock.Stats.Active == 0);
        Assert.That(Mock.Stats.Cancelled, Is.EqualTo(1));
        Assert.That(Json(Get("/v1/files")).GetProperty("data").GetArrayLength(), Is.Zero);
    }

    [Test]
    public void A_transcription_counts_the_audio()
    {
        string form = Part("model", "whisper-1") + Part("file\"; filename=\"talk.mp3", "12345") + $"--{Boundary}--";
        RawResponse response = Send("/v1/audio/transcriptions", form);
        Assert.That(response.Text, Is.EqualTo("""{"text":"Audio of 5 bytes in talk.mp3."}"""));
        response = Send("/v1/audio/transcriptions", Part("response_format", "text") + form);
        Assert.That(response.Text, Is.EqualTo("Audio of 5 bytes in talk.mp3.\n"));
    }

    private static readonly string[] s_malformed =
    [
        "",
        "no boundary at all",
        $"--{Boundary}\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\ncut off",
        $"--{Boundary}\r\nContent-Disposition: form-data; name=\"purp",
        $"--{Boundary} text\r\n\r\n\r\n--{Boundary}--",
        $"--{Boundary}\r\nContent-Type: text/plain\r\n\r\nno name\r\n--{Boundary}--",
        $"--{Boundary}\r\nX: {new string('x', 9000)}\r\n\r\n\r\n--{Boundary}--",
        $"--{Boundary}--",
        Part("purpose", "p") + $"--{Boundary}--",
        Part("file\"; filename=\"f", "x") + $"--{Boundary}--",
        Part("file", "not a file") + $"--{Boundary}--",
        Part("purpose", new string('p', 20_000)) + $"--{Boundary}--",
        string.Concat(Enumerable.Range(0, 65).Select(static i => Part($"f{i}", "x"))) + $"--{Boundary}--",
    ];

    [TestCaseSource(nameof(s_malformed))]
    public void A_malformed_form_is_refused(string form) => Error(Send("/v1/files", form), 400);

    [TestCase("application/json")]
    [TestCase("multipart/form-data")]
    [TestCase("multipart/form-data; boundary=")]
    [TestCase("multipart/form-data; boundary=1234567890123456789012345678901234567890123456789012345678901234567890x")]
    public void A_form_without_a_boundary_is_refused(string contentType)
    {
        using RawClient client = Connect();
        Error(client.Exchange($"POST /v1/files HTTP/1.1\r\nHost: mock\r\nContent-Type: {contentType}\r\nContent-Length: 2\r\n\r\n{{}}"), 415);
    }

    private RawResponse Upload(byte[] content)
    {
        (string head, string tail) = Around("f.bin");
        using RawClient client = Connect();
        return client.Send(Head(head.Length + content.Length + tail.Length) + head).Send(content).Send(tail).Read();
    }

    private RawResponse Send(string path, string form)
    {
        using RawClient client = Connect();
        return client.Exchange($"POST {path} HTTP/1.1\r\nHost: mock\r\nContent-Type: multipart/form-data; boundary={Boundary}\r\nContent-Length: {form.Length}\r\n\r\n{form}");
    }

    private static string Head(long length) =>
        $"POST /v1/files HTTP/1.1\r\nHost: mock\r\nContent-Type: multipart/form-data; boundary={Boundary}\r\nContent-Length: {length}\r\n\r\n";

    private static (string Head, string Tail) Around(string name) =>
        (Part("purpose", "user_data") + $"--{Boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n", $"\r\n--{Boundary}--\r\n");

    private static string Part(string name, string value) => $"--{Boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n";

    private static string Hash(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));
}
