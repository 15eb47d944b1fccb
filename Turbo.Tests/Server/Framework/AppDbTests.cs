using Turbo.Server;
using Turbo.Server.Storage;
using Turbo.Tests.Support;

namespace Turbo.Tests.Server.Framework;

/// <summary>An application's own tables: the same on both databases.</summary>
[TestFixture(DatabaseKind.Sqlite)]
[TestFixture(DatabaseKind.Postgres)]
internal sealed class AppDbTests(DatabaseKind kind)
{
    private static readonly DateTime s_time = new DateTime(2026, 2, 3, 4, 5, 6, DateTimeKind.Utc).AddTicks(1234567);

    private AppFixture _app = null!;

    private AppDb Db => _app.App.Db;

    [OneTimeSetUp]
    public async Task StartAsync() => _app = await AppFixture.StartAsync(static app =>
    {
        app.Db.Migrate<Everything>();
        app.Db.Migrate<Person>();
    }, kind);

    [OneTimeTearDown]
    public async Task StopAsync() => await _app.DisposeAsync();

    private sealed record Everything : IRow<Everything>
    {
        public Guid Id { get; init; } = Guid.NewGuid();
        public string Text { get; init; } = "";
        public string? TextOrNull { get; init; }
        public int Int { get; init; }
        public int? IntOrNull { get; init; }
        public long Long { get; init; }
        public long? LongOrNull { get; init; }
        public double Double { get; init; }
        public double? DoubleOrNull { get; init; }
        public bool Bool { get; init; }
        public bool? BoolOrNull { get; init; }
        public DateTime Time { get; init; }
        public DateTime? TimeOrNull { get; init; }
        public Guid Guid { get; init; }
        public Guid? GuidOrNull { get; init; }
        public byte[] Bytes { get; init; } = [];
        public byte[]? BytesOrNull { get; init; }

        public static Table<Everything> Table { get; } = new("everything", static row => new Everything
        {
            Id = row.Guid("id"), Text = row.Text("text"), TextOrNull = row.TextOrNull("text_or_null"), Int = row.Int("int"), IntOrNull = row.IntOrNull("int_or_null"),
            Long = row.Long("long"), LongOrNull = row.LongOrNull("long_or_null"), Double = row.Double("double"), DoubleOrNull = row.DoubleOrNull("double_or_null"),
            Bool = row.Bool("bool"), BoolOrNull = row.BoolOrNull("bool_or_null"), Time = row.Time("time"), TimeOrNull = row.TimeOrNull("time_or_null"),
            Guid = row.Guid("guid"), GuidOrNull = row.GuidOrNull("guid_or_null"), Bytes = row.Bytes("bytes"), BytesOrNull = row.BytesOrNull("bytes_or_null"),
        })
        {
            { "id", static one => one.Id }, { "text", static one => one.Text }, { "text_or_null", static one => one.TextOrNull },
            { "int", static one => one.Int }, { "int_or_null", static one => one.IntOrNull }, { "long", static one => one.Long }, { "long_or_null", static one => one.LongOrNull },
            { "double", static one => one.Double }, { "double_or_null", static one => one.DoubleOrNull }, { "bool", static one => one.Bool }, { "bool_or_null", static one => one.BoolOrNull },
            { "time", static one => one.Time }, { "time_or_null", static one => one.TimeOrNull }, { "guid", static one => one.Guid }, { "guid_or_null", static one => one.GuidOrNull },
            { "bytes", static one => one.Bytes }, { "bytes_or_null", static one => one.BytesOrNull },
        };

        public string Line() =>
            $"{Text}|{TextOrNull}|{Int}|{IntOrNull}|{Long}|{LongOrNull}|{Double:R}|{DoubleOrNull:R}|{Bool}|{BoolOrNull}|{Time:O}|{TimeOrNull:O}|{Guid}|{GuidOrNull}|{Convert.ToHexString(Bytes)}|{(BytesOrNull is null ? "null" : Convert.ToHexString(BytesOrNull))}";
    }

    private sealed record Person(string Id, string Name, int? Age, bool IsActive, DateTime Seen, string? Email = null) : IRow<Person>
    {
        public static Table<Person> Table { get; } = new("people", static row => new(row.Text("id"), row.Text("name"), row.IntOrNull("age"), row.Bool("is_active"), row.Time("seen"), row.TextOrNull("email")))
        {
            { "id", static person => person.Id }, { "name", static person => person.Name, ColumnIndex.Plain }, { "age", static person => person.Age },
            { "is_active", static person => person.IsActive }, { "seen", static person => person.Seen }, { "email", static person => person.Email, ColumnIndex.Unique },
        };
    }

    [Test]
    public async Task Every_type_comes_back_as_it_was()
    {
        Everything[] rows =
        [
            new(),
            new()
            {
                Text = "Grüße 😀 ' \" ; -- ?", TextOrNull = "", Int = int.MinValue, IntOrNull = int.MaxValue, Long = long.MinValue, LongOrNull = long.MaxValue,
                Double = 0.1 + 0.2, DoubleOrNull = double.NegativeInfinity, Bool = true, BoolOrNull = false, Time = s_time, TimeOrNull = DateTime.UnixEpoch,
                Guid = new Guid("01234567-89ab-cdef-0123-456789abcdef"), GuidOrNull = Guid.Empty, Bytes = [0, 255, 39], BytesOrNull = [],
            },
            new() { Double = double.MaxValue, DoubleOrNull = double.Epsilon, Time = s_time.ToLocalTime(), TimeOrNull = new DateTime(9999, 12, 31, 23, 59, 59, DateTimeKind.Unspecified) },
        ];
        foreach (Everything row in rows)
        {
            await Db.CreateAsync(row);
            Everything kept = row with { Time = Microseconds(row.Time), TimeOrNull = row.TimeOrNull is { } time ? Microseconds(time) : null };
            Assert.That((await Db.GetAsync<Everything>(row.Id))!.Line(), Is.EqualTo(kept.Line()));
            await Db.SaveAsync(row with { Text = "saved" });
            Assert.That((await Db.GetAsync<Everything>(row.Id))!.Line(), Is.EqualTo((kept with { Text = "saved" }).Line()));
            Assert.That(await Db.UpdateAsync(row), Is.True);
            Assert.That((await Db.GetAsync<Everything>(row.Id))!.Line(), Is.EqualTo(kept.Line()));
        }
        Everything full = rows[1];
        AppQuery same = Db.Where("text = ? AND \"int\" = ? AND long = ? AND double = ?", full.Text, full.Int, full.Long, full.Double)
            .Where("bool = ? AND time = ? AND guid = ? AND bytes = ?", full.Bool, full.Time, full.Guid, full.Bytes);
        Assert.That((await same.FindAsync<Everything>()).Select(static one => one.Id), Is.EqualTo(new[] { full.Id }));
        Assert.That(await Db.DeleteAsync(full), Is.True);
        Assert.That(await Db.DeleteAsync(full), Is.False);
        Assert.That(await Db.UpdateAsync(full), Is.False);
        Assert.That(await Db.GetAsync<Everything>(full.Id), Is.Null);
    }

    private sealed record Keyed(string? Id, string Value) : IRow<Keyed>
    {
        public static Table<Keyed> Table { get; } = new("a_b", static row => new(row.Text("id"), row.Text("c")))
        {
            { "id", static row => row.Id }, { "c", static row => row.Value, ColumnIndex.Unique },
        };
    }

    private sealed record Alike(string Id, string Value, string Long, string Longer) : IRow<Alike>
    {
        public static Table<Alike> Table { get; } = new("a", static row => new(row.Text("id"), row.Text("b_c"), row.Text(s_long), row.Text(s_long + "r")))
        {
            { "id", static row => row.Id }, { "b_c", static row => row.Value, ColumnIndex.Unique },
            { s_long, static row => row.Long, ColumnIndex.Unique }, { s_long + "r", static row => row.Longer, ColumnIndex.Unique },
        };
    }

    private static readonly string s_long = new('l', 62);

    /// <summary>The names of two tables and columns may run into one another, and be longer than an index's.</summary>
    [Test]
    public async Task Each_unique_column_is_unique_whatever_it_is_called()
    {
        await Db.MigrateAsync<Keyed>();
        await Db.MigrateAsync<Alike>();
        await Db.MigrateAsync<Alike>();
        await Db.CreateAsync(new Keyed("1", "x"));
        await Db.CreateAsync(new Alike("1", "x", "y", "z"));
        Alike other = new("2", "x2", "y2", "z2");
        foreach (Alike row in new[] { other with { Value = "x" }, other with { Long = "y" }, other with { Longer = "z" } })
            Assert.That(Assert.ThrowsAsync<StorageException>(() => Db.CreateAsync(row))!.Failure, Is.EqualTo(StorageFailure.Conflict), row.ToString());
        Assert.That(Assert.ThrowsAsync<StorageException>(() => Db.CreateAsync(new Keyed("2", "x")))!.Failure, Is.EqualTo(StorageFailure.Conflict));
        await Db.CreateAsync(other);
    }

    [Test]
    public async Task A_row_without_a_key_is_refused()
    {
        await Db.MigrateAsync<Keyed>();
        Keyed row = new(null, "none");
        Assert.ThrowsAsync<ArgumentException>(() => Db.CreateAsync(row));
        Assert.ThrowsAsync<ArgumentException>(() => Db.SaveAsync(row));
        Assert.ThrowsAsync<ArgumentException>(() => Db.UpdateAsync(row));
        Assert.ThrowsAsync<ArgumentException>(() => Db.DeleteAsync(row));
        Assert.That(await Db.Where("c = ?", "none").CountAsync<Keyed>(), Is.Zero);
    }

    [Test]
    public async Task A_text_of_replacement_characters_is_kept_and_half_a_pair_is_not()
    {
        Everything row = new() { Text = new('\uFFFD', 100_000) };
        await Db.CreateAsync(row);
        Assert.That((await Db.GetAsync<Everything>(row.Id))!.Text, Is.EqualTo(row.Text));
        foreach (string half in new[] { "\uD83D", "\uDE00x", row.Text + "\uD83D" }) Assert.ThrowsAsync<ArgumentException>(() => Db.CreateAsync(new Everything { Text = half }));
    }

    [Test]
    public async Task Queries_find_the_same_in_the_same_order()
    {
        Person[] people =
        [
            new("1", "ann", 30, true, s_time), new("2", "Bob", null, false, s_time.AddSeconds(1)), new("3", "bob", 21, true, s_time.AddSeconds(0.5)),
            new("4", "Ünal", 21, false, s_time.AddMilliseconds(550)), new("5", "a%", 40, true, s_time.AddDays(-1), "a@example"),
        ];
        foreach (Person person in people) await Db.CreateAsync(person);

        async Task Finds(string ids, AppQuery query) => Assert.That(string.Concat((await query.FindAsync<Person>()).Select(static person => person.Id)), Is.EqualTo(ids));

        await Finds("34", Db.Where("age = ?", 21));
        await Finds("34", Db.Where("age < ?", 30L));
        await Finds("2", Db.Where("age IS NULL"));
        await Finds("135", Db.Where("is_active"));
        await Finds("24", Db.Where("is_active = ?", false));
        await Finds("24", Db.Where("NOT is_active"));
        // Texts compare by their bytes.
        await Finds("25134", Db.Order("name"));
        await Finds("43152", Db.Order("name DESC"));
        await Finds("23415", Db.Order("age"));
        await Finds("51342", Db.Order("age DESC"));
        await Finds("51432", Db.Order("age DESC, name DESC"));
        await Finds("51", Db.Order("seen").Limit(2));
        await Finds("134", Db.Where("seen >= ? AND seen < ?", s_time, s_time.AddMilliseconds(600)));
        await Finds("3", Db.Where("name LIKE ?", "b%"));
        await Finds("2", Db.Where("name LIKE 'B%'"));
        await Finds("5", Db.Where("name = 'a%' AND name <> '?'"));
        await Finds("45", Db.Where("id > ?", "3").Where("age > ?", 20));
        await Finds("5", Db.Where("id > ?", "3").Where("age = ? OR age = ?", 40, 41));
        await Finds("", Db.Where("name = ?", "' OR '1' = '1"));
        Assert.That(await Db.Where("age = ?", 21).CountAsync<Person>(), Is.EqualTo(2));
        Assert.That((await Db.Where("age = ?", 21).Order("name DESC").FirstAsync<Person>())!.Id, Is.EqualTo("4"));
        Assert.That(await Db.Where("age = ?", 99).FirstAsync<Person>(), Is.Null);
        // The contract's names, which block.
        Assert.That(Db.Where("age = ?", 21).Find<Person>(), Has.Count.EqualTo(2));

        Assert.That(Assert.ThrowsAsync<StorageException>(() => Db.CreateAsync(people[0]))!.Failure, Is.EqualTo(StorageFailure.Conflict));
        Assert.That(Assert.ThrowsAsync<StorageException>(() => Db.CreateAsync(people[4] with { Id = "6" }))!.Failure, Is.EqualTo(StorageFailure.Conflict), "the unique email");
        Assert.That(await Db.Where("age = ?", 21).DeleteAsync<Person>(), Is.EqualTo(2));
        Assert.That(await Db.DeleteByKeyAsync<Person>("1"), Is.True);
        Assert.That((await Db.FindAsync<Person>()).Select(static person => person.Id), Is.EqualTo(new[] { "2", "5" }));
        await Db.Where("id >= ?", "").DeleteAsync<Person>();
    }

    [TestCase("")]
    [TestCase("age = ? OR (")]
    [TestCase("age = ?) OR (1 = 1")]
    [TestCase("age = ?; DROP TABLE people")]
    [TestCase("age = ? --")]
    [TestCase("age = ? /* x */")]
    [TestCase("age = ? AND name = 'x")]
    [TestCase("age = ? AND name = 'x''")]
    [TestCase("age = ? AND name = E'x'")]
    [TestCase("age = ? AND name = $1")]
    [TestCase("age = ? AND name = :x")]
    [TestCase("age = ?1")]
    [TestCase("age = 1")]
    [TestCase("age = ? AND age = ?")]
    public void A_condition_that_is_none_is_refused(string condition) => Assert.Throws<ArgumentException>(() => Db.Where(condition, 1));

    [Test]
    public void What_one_database_could_not_keep_is_refused_on_both()
    {
        Assert.Throws<ArgumentException>(() => Db.Where("name = ?", "a\0b"));
        Assert.Throws<ArgumentException>(() => Db.Where("name = ?", "\ud83d"));
        Assert.Throws<ArgumentException>(() => Db.Where("age = ?", double.NaN));
        Assert.DoesNotThrow(() => Db.Where("name = ?", "\ufffd 😀"));
        Assert.ThrowsAsync<ArgumentException>(() => Db.Order("age; DROP TABLE people").FindAsync<Person>());
        Assert.ThrowsAsync<ArgumentException>(() => Db.Order("nothing").FindAsync<Person>());
        Assert.Throws<ArgumentOutOfRangeException>(() => Db.Limit(0));
        Assert.ThrowsAsync<InvalidOperationException>(() => Db.Limit(1).DeleteAsync<Person>());
        Assert.ThrowsAsync<StorageException>(() => Db.Where("nothing = ?", 1).FindAsync<Person>());
        foreach (string name in (string[])["", "Notes", "a b", "1a", "a\"b", "users", "messages", "turbo_x", "sqlite_x", new('a', 64)])
            Assert.Throws<ArgumentException>(() => _ = new Table<Person>(name, static _ => null!), name);
    }

    private sealed record First(string Id, string Name) : IRow<First>
    {
        public static Table<First> Table { get; } = new("grows", static row => new(row.Text("id"), row.Text("name"))) { { "id", static one => one.Id }, { "name", static one => one.Name } };
    }

    private sealed record Second(string Id, int Age, string Note) : IRow<Second>
    {
        public static Table<Second> Table { get; } = new("grows", static row => new(row.Text("id"), row.Int("age"), row.Text("note")))
        {
            { "id", static one => one.Id }, { "age", static one => one.Age, ColumnIndex.Plain }, { "note", static one => one.Note },
        };
    }

    private sealed record Changed(string Id, long Name) : IRow<Changed>
    {
        public static Table<Changed> Table { get; } = new("grows", static row => new(row.Text("id"), row.Long("name"))) { { "id", static one => one.Id }, { "name", static one => one.Name } };
    }

    [Test]
    public async Task A_migration_adds_and_keeps()
    {
        await Db.MigrateAsync<First>();
        await Db.CreateAsync(new First("1", "kept"));
        await Task.WhenAll(Db.MigrateAsync<Second>(), Db.MigrateAsync<Second>(), Db.MigrateAsync<First>());
        Assert.That(await Db.GetAsync<Second>("1"), Is.EqualTo(new Second("1", 0, "")));
        await Db.CreateAsync(new Second("2", 7, "new"));
        Assert.That(await Db.GetAsync<First>("1"), Is.EqualTo(new First("1", "kept")));
        Assert.That(await Db.GetAsync<First>("2"), Is.EqualTo(new First("2", "")));
        StorageException refused = Assert.ThrowsAsync<StorageException>(() => Db.MigrateAsync<Changed>())!;
        Assert.That(refused.Message, Does.Contain("grows.name").And.Contain("bigint").And.Contain("text"));
    }

    private static DateTime Microseconds(DateTime time) => new(((DateTime)(time.Kind == DateTimeKind.Local ? time.ToUniversalTime() : time)).Ticks / 10 * 10, DateTimeKind.Utc);
}
