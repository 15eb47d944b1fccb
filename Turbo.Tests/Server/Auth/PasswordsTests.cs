using Turbo.Server.Auth;

namespace Turbo.Tests.Server.Auth;

[TestFixture]
internal sealed class PasswordsTests
{
    // "alice-Passw0rd!" as the Go program stored it, at cost 4.
    private const string GoHash = "$2a$04$TKiX2mWbe9PRpmu3vW05aObqrZ3ZD7gUcG6RR4fQhPtGP.DJ07w86";

    [Test]
    public async Task A_hash_of_the_Go_program_verifies_and_is_weak()
    {
        using var passwords = new Passwords(cost: 5);
        Assert.That(await passwords.VerifyAsync("alice-Passw0rd!", GoHash), Is.EqualTo(PasswordVerdict.WeakMatch));
        Assert.That(await passwords.VerifyAsync("alice-Passw0rd?", GoHash), Is.EqualTo(PasswordVerdict.Mismatch));
    }

    [TestCase("$2a$04$")]
    [TestCase("$2b$04$")]
    [TestCase("$2y$04$")]
    public async Task Every_prefix_of_bcrypt_is_read(string prefix)
    {
        using var passwords = new Passwords(cost: 4);
        Assert.That(await passwords.VerifyAsync("alice-Passw0rd!", prefix + GoHash[7..]), Is.EqualTo(PasswordVerdict.Match));
    }

    [Test]
    public async Task Our_hash_is_of_the_cost_asked_for()
    {
        using var passwords = new Passwords(cost: 6);
        string hash = (await passwords.HashAsync("secret"))!;
        Assert.That(hash, Does.Match(@"^\$2[ab]\$06\$.{53}$"));
        Assert.That(await passwords.VerifyAsync("secret", hash), Is.EqualTo(PasswordVerdict.Match));
        Assert.That(await passwords.VerifyAsync("Secret", hash), Is.EqualTo(PasswordVerdict.Mismatch));
    }

    [TestCase("")]
    [TestCase("ünïcödé ☃")]
    [TestCase("nul\0inside")]
    public async Task Any_text_is_a_password(string password)
    {
        using var passwords = new Passwords(cost: 4);
        string hash = (await passwords.HashAsync(password))!;
        Assert.That(await passwords.VerifyAsync(password, hash), Is.EqualTo(PasswordVerdict.Match));
        Assert.That(await passwords.VerifyAsync(password + "x", hash), Is.EqualTo(PasswordVerdict.Mismatch));
    }

    [Test]
    public async Task Seventy_two_bytes_are_hashed_one_more_is_refused()
    {
        using var passwords = new Passwords(cost: 4);
        string longest = string.Concat(Enumerable.Repeat("☃", 24));
        Assert.That(Passwords.IsTooLong(longest), Is.False);
        Assert.That(Passwords.IsTooLong(longest + "x"));
        string hash = (await passwords.HashAsync(longest))!;
        Assert.That(await passwords.VerifyAsync(longest[..^1] + "x", hash), Is.EqualTo(PasswordVerdict.Mismatch));
        Assert.That(await passwords.VerifyAsync(longest + "x", hash), Is.EqualTo(PasswordVerdict.Mismatch));
        Assert.ThrowsAsync<ArgumentException>(async () => await passwords.HashAsync(longest + "x"));
    }

    [TestCase(null)]
    [TestCase("")]
    [TestCase("plaintext")]
    [TestCase("$2a$04$short")]
    public async Task Without_a_hash_nothing_matches(string? stored)
    {
        using var passwords = new Passwords(cost: 4);
        Assert.That(await passwords.VerifyAsync(stored ?? "x", stored), Is.EqualTo(PasswordVerdict.Mismatch));
    }

    [Test]
    public async Task Unknown_user_weak_hash_and_wrong_password_take_alike()
    {
        using var passwords = new Passwords(cost: 8);
        string own = (await passwords.HashAsync("right"))!;
        Assert.That(await RoundsAsync(null), Is.EqualTo(256));
        Assert.That(await RoundsAsync(own), Is.EqualTo(256));
        Assert.That(await RoundsAsync(GoHash), Is.EqualTo(256 + 16));
        Assert.That(await RoundsAsync("no hash"), Is.EqualTo(256));

        async Task<long> RoundsAsync(string? hash)
        {
            long before = passwords.Rounds;
            Assert.That(await passwords.VerifyAsync("wrong", hash), Is.EqualTo(PasswordVerdict.Mismatch));
            return passwords.Rounds - before;
        }
    }

    [Test]
    public async Task A_full_queue_is_busy_and_the_rest_is_answered()
    {
        using var passwords = new Passwords(cost: 8, queue: 2, workers: 1);
        Task<string?>[] hashes = Enumerable.Range(0, 20).Select(_ => passwords.HashAsync("x")).ToArray();
        Assert.That(await passwords.VerifyAsync("x", null), Is.EqualTo(PasswordVerdict.Busy));
        string?[] answers = await Task.WhenAll(hashes);
        Assert.That(answers, Has.Some.Null);
        Assert.That(answers.Count(hash => hash is not null), Is.InRange(2, 4));
    }

    [Test]
    public void A_generated_password_is_long_and_new()
    {
        Assert.That(Passwords.Generate(), Has.Length.EqualTo(20));
        Assert.That(Passwords.Generate(), Is.Not.EqualTo(Passwords.Generate()));
    }
}
