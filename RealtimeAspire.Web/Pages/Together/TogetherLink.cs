using RealtimeAspire.Protocol;

namespace RealtimeAspire.Web.Pages.Together;

/// <summary>A shared drawing's name, its topic and its page's address.</summary>
internal static class TogetherLink
{
    /// <summary>The drawing that the page without a name shows.</summary>
    public const string First = "main";

    private const string Path = "/together";

    public static string To(string name) => name == First ? Path : $"{Path}/{Uri.EscapeDataString(name)}";

    public static bool Is(Uri page) => page.AbsolutePath == Path || page.AbsolutePath.StartsWith(Path + "/", StringComparison.Ordinal);

    /// <summary>Untrusted input becomes a drawing's topic. Names are compared as they are written.</summary>
    public static bool TryParseTopic(string name, out TopicName topic) => TopicName.TryParse($"canvas:{name}", out topic);

    /// <summary>What somebody typed becomes a name that can be one.</summary>
    public static string NameOf(string input) => string.Join('-', input.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
}
