using System.Text.Json;
using Turbo.Server;

// A small application on Turbo: notes that only their writer sees, and that the model can sum up. Users sign up at
// /user/signup and send the token that they get as `Authorization: Bearer`, as for everything of Turbo's.

TurboApp app = new();
app.Db.Migrate<Note>();

app.Get("/", request => request.Html($"<h1>Notes</h1><p>{(request.Session is null ? "POST /user/signup to begin" : "GET /notes")}</p>"), isPrivate: false);

app.Get("/notes", async request =>
{
    List<Note> notes = await app.Db.Where("user_id = ?", request.User.UserId).Order("created_at DESC").Limit(100).FindAsync<Note>();
    request.Json(json =>
    {
        json.WriteStartArray();
        foreach (Note note in notes) note.Write(json);
        json.WriteEndArray();
    });
});

app.Post("/notes", async request =>
{
    AppParameters parameters = await request.ParametersAsync();
    Note note = new(Guid.NewGuid(), request.User.UserId, parameters.Required("text", maxLength: 10_000), app.Db.Now);
    await app.Db.CreateAsync(note);
    app.Events.Publish($"notes of {note.UserId}", note.Text);
    request.Json(note.Write, status: 201);
});

app.Get("/notes/{id}", async request => request.Json((await OwnNoteAsync(request)).Write));

app.Delete("/notes/{id}", async request =>
{
    await app.Db.DeleteAsync(await OwnNoteAsync(request));
    request.Empty();
});

// Asked once: the answer is kept for an hour, on every node where there are several.
app.Get("/notes/{id}/summary", async request =>
{
    Note note = await OwnNoteAsync(request);
    string key = $"summary of {note.Id}";
    string? summary = await app.Cache.GetAsync(key);
    if (summary is null)
    {
        summary = await app.Ai.CompleteAsync($"Sum up in one sentence:\n{note.Text}", user: note.UserId);
        await app.Cache.SetAsync(key, summary, TimeSpan.FromHours(1));
    }
    request.Text(summary);
});

// The same, word by word as it comes.
app.Get("/notes/{id}/summary/stream", async request =>
{
    Note note = await OwnNoteAsync(request);
    AppEventStream events = await request.EventsAsync();
    await foreach (string word in app.Ai.StreamAsync($"Sum up in one sentence:\n{note.Text}", note.UserId, cancellation: events.Ended)) await events.SendAsync(word);
});

// New notes, on every device that watches.
app.Get("/feed", async request =>
{
    using AppSubscription subscription = app.Events.Subscribe($"notes of {request.User.UserId}");
    AppEventStream events = await request.EventsAsync();
    await events.SendAllAsync(subscription);
});

app.After(request =>
{
    if (!request.HasStarted) request.SetHeader("X-Elapsed", $"{request.Elapsed.TotalMilliseconds:F1} ms");
});

return await app.RunAsync();

// Another's note is as good as none.
async Task<Note> OwnNoteAsync(AppRequest request)
{
    Note? note = Guid.TryParse(request.PathValue("id"), out Guid id) ? await app.Db.GetAsync<Note>(id) : null;
    return note?.UserId == request.User.UserId ? note : throw new AppException(404, "no such note", code: "note_not_found");
}

/// <summary>One note: a row of <c>notes</c>.</summary>
internal sealed record Note(Guid Id, string UserId, string Text, DateTime CreatedAt) : IRow<Note>
{
    public static Table<Note> Table { get; } = new("notes", static row => new(row.Guid("id"), row.Text("user_id"), row.Text("text"), row.Time("created_at")))
    {
        { "id", static note => note.Id },
        { "user_id", static note => note.UserId, ColumnIndex.Plain },
        { "text", static note => note.Text },
        { "created_at", static note => note.CreatedAt },
    };

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", Id);
        json.WriteString("text", Text);
        json.WriteString("created_at", CreatedAt);
        json.WriteEndObject();
    }
}
