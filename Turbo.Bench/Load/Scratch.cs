namespace Turbo.Bench.Load;

/// <summary>Folders that a command makes for its servers, and that are gone when it ends.</summary>
internal static class Scratch
{
    private static readonly HashSet<string> s_folders = [];

    /// <summary>A new one among the temporary files.</summary>
    public static string NewFolder(string prefix)
    {
        string folder = Directory.CreateTempSubdirectory(prefix).FullName;
        lock (s_folders) s_folders.Add(folder);
        return folder;
    }

    public static void Delete(string folder)
    {
        lock (s_folders)
        {
            if (!s_folders.Remove(folder)) return;
        }
        Directory.Delete(folder, recursive: true);
    }

    public static void DeleteAll()
    {
        string[] folders;
        lock (s_folders) folders = [.. s_folders];
        foreach (string folder in folders) Delete(folder);
    }
}
