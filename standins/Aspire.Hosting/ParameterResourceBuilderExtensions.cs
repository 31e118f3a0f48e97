using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.UserSecrets;

namespace Aspire.Hosting;

public static class ParameterResourceBuilderExtensions
{
    /// <summary>A value from <c>Parameters:name</c>, else the default; with <paramref name="persist"/> kept in the user's secrets.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, ParameterDefault value, bool secret = false, bool persist = false) =>
        builder.AddResource(Create(builder, name, value, secret, persist));

    /// <summary>A generated password that stays the same over runs, because the data behind it does.</summary>
    internal static ParameterResource CreatePassword(IDistributedApplicationBuilder builder, string name, bool special) =>
        Create(builder, name, new GenerateParameterDefault { Special = special }, secret: true, persist: true);

    private static ParameterResource Create(IDistributedApplicationBuilder builder, string name, ParameterDefault value, bool secret, bool persist)
    {
        var key = $"Parameters:{name}";
        return new ParameterResource(name, () => builder.Configuration[key] ?? Generate(builder, key, value, persist), secret);
    }

    private static string Generate(IDistributedApplicationBuilder builder, string key, ParameterDefault value, bool persist)
    {
        var generated = value.GetDefaultValue();
        if (persist && builder.AppHostAssembly?.GetCustomAttributes(typeof(UserSecretsIdAttribute), false).OfType<UserSecretsIdAttribute>().FirstOrDefault() is { } id)
            generated = Keep(PathHelper.GetSecretsPathFromSecretsId(id.UserSecretsId), key, generated);
        return builder.Configuration[key] = generated;
    }

    /// <summary>Writes the value unless another app host has just written one; returns the one that holds.</summary>
    private static string Keep(string path, string key, string value)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var turn = new Mutex(initiallyOwned: false, "aspire-user-secrets");
        turn.WaitOne();
        try
        {
            var secrets = File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path))!.AsObject() : [];
            if (secrets[key]?.GetValue<string>() is { } kept)
                return kept;
            secrets[key] = value;
            File.WriteAllText(path + ".new", secrets.ToJsonString());
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(path + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.Move(path + ".new", path, overwrite: true);
            return value;
        }
        finally
        {
            turn.ReleaseMutex();
        }
    }
}
