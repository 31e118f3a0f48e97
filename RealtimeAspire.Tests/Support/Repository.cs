using System.Reflection;

namespace RealtimeAspire.Tests.Support;

/// <summary>Files of the repository that tests compare with the code, and the folder for what tests leave behind.</summary>
internal static class Repository
{
    public static string Root { get; } = typeof(Repository).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!;

    public static string PathOf(string file) => Path.Combine(Root, file);
}
