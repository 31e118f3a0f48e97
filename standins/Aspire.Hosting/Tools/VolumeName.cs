using System.Text.RegularExpressions;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Tools;

internal static partial class VolumeName
{
    /// <summary>The name that the real package gives a data volume: application, a part of its path's hash, resource.</summary>
    public static string For<T>(IResourceBuilder<T> builder) where T : IResource
    {
        var configuration = builder.ApplicationBuilder.Configuration;
        var application = NotAllowed().Replace(configuration["AppHost:Name"]!.ToLowerInvariant(), "-");
        return $"{application}-{configuration["AppHost:Sha256"]![..10].ToLowerInvariant()}-{builder.Resource.Name}-data";
    }

    [GeneratedRegex("[^a-z0-9_.-]", RegexOptions.None, 1000)]
    private static partial Regex NotAllowed();
}
