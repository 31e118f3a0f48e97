using System.Runtime.CompilerServices;

namespace RealtimeAspire.Tests.Protocol;

/// <summary>Files of the repository that tests compare with the code.</summary>
internal static class Repository
{
    public static string PathOf(string file) => Path.Combine(Root(), file);

    private static string Root([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", ".."));
}
