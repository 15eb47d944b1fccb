using Turbo.Server.Auth;
using Turbo.Server.Model;
using Turbo.Server.Storage;

namespace Turbo.Server.Admin;

/// <summary>list, create, user, reset.</summary>
internal static class UserCommands
{
    private const int Page = 1000;
    private const string FromStdin = "a PASSWORD of - is the first line of stdin";
    private const string Columns = "id, username, first_name, last_name, created_at";

    public static AdminEntry[] Entries =>
    [
        new("list", [], [], "every user, oldest first", Columns, ListAsync),
        new("create", ["USERNAME", "PASSWORD"], [], $"makes a user with a group named Personal; {FromStdin}", Columns, CreateAsync),
        new("user", ["ID"], [], "one user", Columns, ShowAsync),
        new("reset", ["USERNAME", "PASSWORD"], [], $"sets a user's password and ends the user's sessions; {FromStdin}", Columns, ResetAsync),
    ];

    private static async Task ListAsync(AdminSession session)
    {
        for (User? last = null; ;)
        {
            IReadOnlyList<User> page = await session.Db.Users.ListAsync(last, Page);
            foreach (User user in page) Print(session, user);
            if (page.Count < Page) return;
            last = page[^1];
        }
    }

    private static async Task CreateAsync(AdminSession session)
    {
        string username = session.Word(0);
        if (username.EnumerateRunes().Count() is 0 or > 254) throw AdminException.Misused("a username has 1 to 254 characters");
        string hash = await HashAsync(session, session.Word(1));
        SignUp? made = await session.Db.Users.CreateAsync(new NewUser(username, hash, username.Split('@', 2)[0], "", "Personal"), session: null);
        Print(session, made?.User ?? throw AdminException.Failed($"the username {OptionMask.Printable(username)} is taken"));
    }

    private static async Task ShowAsync(AdminSession session) =>
        Print(session, await session.Db.Users.FindAsync(session.Word(0)) ?? throw AdminException.Failed("no such user"));

    private static async Task ResetAsync(AdminSession session)
    {
        User user = await ByNameAsync(session, session.Word(0));
        string hash = await HashAsync(session, session.Word(1));
        if (await session.Db.Users.ChangePasswordAsync(user.Id, expectedHash: null, hash, keepSession: null) is null) throw AdminException.Failed("no such user");
        Print(session, user);
    }

    public static async Task<User> ByNameAsync(AdminSession session, string username) =>
        await session.Db.Users.FindByUsernameAsync(username) ?? throw AdminException.Failed("no such user");

    // Other users of the machine see a process's arguments.
    private static async Task<string> HashAsync(AdminSession session, string word)
    {
        string password = word == "-" ? await Console.In.ReadLineAsync() ?? "" : word;
        if (password.Length == 0) throw AdminException.Misused("the password is empty");
        if (Passwords.IsTooLong(password)) throw AdminException.Misused($"a password has at most {Passwords.MaxBytes} bytes");
        using Passwords passwords = new(session.Options.BcryptCost);
        return (await passwords.HashAsync(password))!;
    }

    private static void Print(AdminSession session, User user) => session.Output.Row(
        ("id", user.Id), ("username", user.Username), ("first_name", user.FirstName), ("last_name", user.LastName), ("created_at", user.CreatedAt));
}
