using Turbo.Server;
using Turbo.Server.Mock;
using Turbo.Tests.Support;

namespace Turbo.Tests.Browser;

/// <summary>
/// The page at / in Chromium: page.mjs says what is done, each check going on from those before. Its pictures go to
/// artifacts/, or to the folder that TURBO_PAGE_PICTURES names: those in docs/ are made so.
/// </summary>
internal sealed class PageTests
{
    private static readonly string[] s_checks =
    [
        "log_in_comes_first", "signs_up", "groups", "words_come_one_by_one", "reload_keeps_the_history", "a_member_sees_it_live", "members_come_and_go_before_ones_eyes", "off_the_record",
        "saved_prompts", "markup_is_text", "comes_back_after_a_loss", "without_websockets", "usage", "a_long_chat_stays_small", "renames_and_removes", "dark", "contrast",
        "everything_has_a_name", "fits_a_phone", "by_keyboard_alone", "logs_out", "nothing_from_elsewhere", "no_complaint",
    ];

    private OrderedDictionary<string, CheckResult> _results = [];

    [OneTimeSetUp]
    public async Task Run()
    {
        string named = Environment.GetEnvironmentVariable("TURBO_PAGE_PICTURES") is { Length: > 0 } folder ? folder : "artifacts";
        string pictures = Directory.CreateDirectory(Path.Combine(Repository.Root, named)).FullName;
        await using MockServer mock = new();
        mock.Start();
        await using TestApp app = await TestApp.StartAsync(options => options with { Upstream = UpstreamTarget.At(mock.EndPoints[0]) });
        _results = await Chromium.RunAsync("page.mjs", ("URL", app.Origin()), ("SHOTS", pictures));
    }

    [Test]
    public void Every_check_ran() => Assert.That(_results.Keys, Is.EqualTo(s_checks));

    [TestCaseSource(nameof(s_checks))]
    public void Check(string name) => Assert.That(_results[name].Error, Is.Null);
}
