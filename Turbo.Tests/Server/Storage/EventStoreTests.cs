using Turbo.Server.Model;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Storage;

/// <summary>Event rows, in batches, tried again, asked for and summed.</summary>
internal sealed class EventStoreTests(DatabaseKind kind) : StoreFixture(kind)
{
    private static readonly DateTime s_noon = new(2026, 11, 23, 12, 0, 0, DateTimeKind.Utc);

    private static EventRow Row(DateTime timestamp, string user = "u", string model = "", int? tokens = null) => Fill(new EventRow
    {
        Id = Guid.CreateVersion7(timestamp), Timestamp = timestamp, CreatedAt = timestamp, UserId = user,
        PromptTokens = tokens, CompletionTokens = tokens, TotalTokens = tokens * 2,
    }, model);

    private static EventRow Fill(EventRow row, string model)
    {
        row.Model.Set(model);
        return row;
    }

    [Test]
    public async Task Every_column_comes_back()
    {
        var row = new EventRow
        {
            Id = Guid.CreateVersion7(s_noon), Timestamp = s_noon.AddTicks(1_234_560), CreatedAt = s_noon.AddSeconds(1), Status = 200,
            Duration = 6393882, UserId = "user", PromptTokens = 1, CompletionTokens = 2, TotalTokens = 3, Ttfb = 4,
        };
        row.ClientIp.Set("127.0.0.1"u8);
        row.Endpoint.Set("/v1/chat/completions"u8);
        row.Method.Set("POST"u8);
        row.Params.Set("a=b"u8);
        row.Request.Set("{\"q\":\"ünï☃\"}"u8);
        row.Response.Set(new string('r', 70_000));
        row.Message.Set("upstream broke off"u8);
        row.Model.Set("gpt-4"u8);
        await Db.Events.InsertAsync([row]);

        EventRecord read = (await Db.Events.QueryAsync(new EventQuery())).Single();
        Assert.That(read, Is.EqualTo(new EventRecord
        {
            Id = row.Id.ToString(), Timestamp = row.Timestamp, ClientIp = "127.0.0.1", Endpoint = "/v1/chat/completions",
            Request = "{\"q\":\"ünï☃\"}", Response = new string('r', 70_000), Status = 200, Message = "upstream broke off",
            Duration = 6393882, Method = "POST", Params = "a=b", UserId = "user", Model = "gpt-4", PromptTokens = 1,
            CompletionTokens = 2, TotalTokens = 3, Ttfb = 4,
        }));
    }

    [Test]
    public async Task Empty_texts_are_empty_not_null_and_absent_numbers_null()
    {
        await Db.Events.InsertAsync([Row(s_noon, user: "")]);
        Assert.That(await Database.CountAsync("""
            SELECT count(*) FROM events WHERE request = '' AND user_id = '' AND model = ''
            AND ttfb IS NULL AND total_tokens IS NULL AND deleted_at IS NULL
            """), Is.EqualTo(1));
    }

    [Test]
    public async Task A_batch_tried_again_is_stored_once()
    {
        EventRow[] rows = [Row(s_noon), Row(s_noon), Row(s_noon)];
        await Db.Events.InsertAsync(rows[..2]);
        await Db.Events.InsertAsync(rows);
        Assert.That(await Db.Events.QueryAsync(new EventQuery()), Has.Count.EqualTo(3));
    }

    [Test]
    public async Task Batches_of_any_size_come_back_whole()
    {
        var sent = new List<EventRow>();
        foreach (int rows in new[] { 1, 15, 16, 17, 50 })
        {
            EventRow[] batch = [.. Enumerable.Range(0, rows).Select(i => Row(s_noon.AddSeconds(sent.Count + i), user: $"ü{i}", model: $"m{i}", tokens: i))];
            for (int i = 0; i < rows; i++)
            {
                // More than one array of any implementation is likely to hold, some of it at its edge.
                batch[i].Request.Set(new string((char)('a' + i % 26), i % 5 * 20_000));
                batch[i].Response.Set(new string('é', i));
            }
            await Db.Events.InsertAsync(batch);
            // Tried again, as after a failure whose outcome is unknown: some rows are there, some are not.
            await Db.Events.InsertAsync([.. batch, Row(s_noon.AddHours(1).AddSeconds(sent.Count))]);
            sent.AddRange(batch);
        }
        List<EventRecord> read = [.. (await Db.Events.QueryAsync(new EventQuery { Limit = 1000 })).Where(row => row.UserId.StartsWith('ü'))];
        read.Reverse();
        Assert.That(read.Select(Show), Is.EqualTo(sent.Select(row => Show(new EventRecord
        {
            Id = row.Id.ToString(), Timestamp = row.Timestamp, Request = row.Request.ToString(), Response = row.Response.ToString(),
            UserId = row.UserId, Model = row.Model.ToString(), TotalTokens = row.TotalTokens,
        }))));

        static string Show(EventRecord row) =>
            $"{row.Id} {row.Timestamp:O} {row.UserId} {row.Model} {row.TotalTokens} {row.Request.Length} {row.Request.FirstOrDefault()}{row.Request.LastOrDefault()} {row.Response}";
    }

    [Test]
    public async Task Queries_choose_by_user_and_time_and_page_from_the_newest()
    {
        for (int i = 0; i < 10; i++)
            await Db.Events.InsertAsync([Row(s_noon.AddMinutes(i), user: i % 2 == 0 ? "even" : "odd")]);

        Assert.That(await Minutes(new EventQuery { UserId = "even" }), Is.EqualTo(new[] { 8, 6, 4, 2, 0 }));
        Assert.That(await Minutes(new EventQuery { Since = s_noon.AddMinutes(7) }), Is.EqualTo(new[] { 9, 8, 7 }));
        Assert.That(await Minutes(new EventQuery { Since = s_noon.AddMinutes(5), UserId = "odd" }), Is.EqualTo(new[] { 9, 7, 5 }));

        var seen = new List<int>();
        EventRecord? before = null;
        while (await Db.Events.QueryAsync(new EventQuery { Limit = 4, Before = before }) is { Count: > 0 } page)
        {
            seen.AddRange(page.Select(row => (int)(row.Timestamp - s_noon).TotalMinutes));
            before = page[^1];
        }
        Assert.That(seen, Is.EqualTo(Enumerable.Range(0, 10).Reverse()));

        async Task<int[]> Minutes(EventQuery query) =>
            (await Db.Events.QueryAsync(query)).Select(row => (int)(row.Timestamp - s_noon).TotalMinutes).ToArray();
    }

    [Test]
    public async Task Rows_of_another_zone_are_chosen_by_their_instant()
    {
        await Database.RunAsync("INSERT INTO events (id, timestamp) VALUES ('east', '2026-11-23 14:30:00+02:00'), ('west', '2026-11-23 02:00:00-08:00')");
        Assert.That((await Db.Events.QueryAsync(new EventQuery { Since = s_noon.AddMinutes(15) })).Select(row => row.Id), Is.EqualTo(new[] { "east" }));
        Assert.That(await Db.Events.DeleteOlderThanAsync(s_noon, 10), Is.EqualTo(1));
        Assert.That((await Db.Events.QueryAsync(new EventQuery())).Single().Id, Is.EqualTo("east"));
    }

    [Test]
    public async Task Old_rows_go_in_chunks()
    {
        for (int i = 0; i < 10; i++)
            await Db.Events.InsertAsync([Row(s_noon.AddMinutes(i))]);
        Assert.That(await Db.Events.DeleteOlderThanAsync(s_noon.AddMinutes(7), 5), Is.EqualTo(5));
        Assert.That(await Db.Events.DeleteOlderThanAsync(s_noon.AddMinutes(7), 5), Is.EqualTo(2));
        Assert.That(await Db.Events.DeleteOlderThanAsync(s_noon.AddMinutes(7), 5), Is.Zero);
        Assert.That(await Db.Events.QueryAsync(new EventQuery()), Has.Count.EqualTo(3));
    }

    [Test]
    public async Task Usage_is_summed_by_user_and_model()
    {
        User ann = (await Db.Users.CreateAsync(new NewUser("ann", "h", "", "", null), null))!.User;
        await Db.Events.InsertAsync(
        [
            Row(s_noon.AddHours(-2), ann.Id, "gpt-4", 100), Row(s_noon, ann.Id, "gpt-4", 10), Row(s_noon, ann.Id, "gpt-4", 1),
            Row(s_noon, ann.Id, "gpt-5", 5), Row(s_noon, "", "gpt-4", 2), Row(s_noon, ann.Id),
        ]);
        Assert.That(await Db.Events.UsageAsync(s_noon.AddHours(-1)), Is.EqualTo(new[]
        {
            new UsageSum(ann.Id, "ann", "gpt-4", 2, 11, 11, 22),
            new UsageSum(ann.Id, "ann", "gpt-5", 1, 5, 5, 10),
            new UsageSum("", "", "gpt-4", 1, 2, 2, 4),
        }));
        Assert.That((await Db.Events.UsageAsync(null))[0], Is.EqualTo(new UsageSum(ann.Id, "ann", "gpt-4", 3, 111, 111, 222)));
    }

    [Test]
    public async Task A_user_is_shown_its_calls_that_cost_and_those_that_failed_page_by_page()
    {
        List<EventRow> rows = [];
        for (int i = 0; i < 10; i++)
        {
            EventRow row = Row(s_noon.AddMinutes(i), i % 5 == 4 ? "other" : "ann", "gpt-4", i % 3 == 0 ? null : i);
            row.Status = i == 6 ? 404 : 200;
            row.Endpoint.Set($"/{i}");
            rows.Add(row);
        }
        await Db.Events.InsertAsync(rows);
        Assert.That(await PathsAsync(null, 100), Is.EqualTo("/8 /7 /6 /5 /2 /1"));
        string paged = await PathsAsync(null, 2);
        for (string? last = paged[^1..]; last is not null;)
        {
            string page = await PathsAsync(rows[int.Parse(last, System.Globalization.CultureInfo.InvariantCulture)].Id.ToString(), 2);
            paged += page.Length > 0 ? " " + page : "";
            last = page.Length > 0 ? page[^1..] : null;
        }
        Assert.That(paged, Is.EqualTo("/8 /7 /6 /5 /2 /1"));
        // Another's event is none to page from, and tells nothing of when it was.
        Assert.That(await PathsAsync(rows[9].Id.ToString(), 100), Is.Empty);
        Assert.That((await Db.Events.NotableAsync("ann", null, 1))[0], Is.EqualTo(new EventRecord
        {
            Id = rows[8].Id.ToString(), Timestamp = rows[8].Timestamp, Endpoint = "/8", Status = 200, UserId = "ann", Model = "gpt-4",
            PromptTokens = 8, CompletionTokens = 8, TotalTokens = 16,
        }));
        Assert.That(await Db.Events.UsageOfAsync("ann", s_noon.AddMinutes(2)), Is.EqualTo(new[] { new UsageSum("ann", "", "gpt-4", 4, 22, 22, 44) }));
        Assert.That(await Db.Events.UsageOfAsync("ann", s_noon.AddMinutes(9)), Is.Empty);

        async Task<string> PathsAsync(string? before, int limit) =>
            string.Join(' ', (await Db.Events.NotableAsync("ann", before, limit)).Select(static row => row.Endpoint));
    }
}
