using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace RealtimeAspire.Server.Storage;

/// <summary>One numbered change of the database's schema.</summary>
/// <param name="Number">1, 2, 3 …</param>
/// <param name="Name">The file's name.</param>
/// <param name="Sql">What it does.</param>
internal sealed record Migration(int Number, string Name, string Sql)
{
    /// <summary>Tells a file that was changed after it had been applied.</summary>
    public string Checksum { get; } =
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n").Trim())));

    /// <summary>The files under <c>Storage/Migrations</c>, in order.</summary>
    public static IReadOnlyList<Migration> LoadAll()
    {
        var assembly = typeof(Migration).Assembly;
        var prefix = $"{typeof(Migration).Namespace}.Migrations.";
        return [.. assembly.GetManifestResourceNames()
            .Where(resource => resource.StartsWith(prefix, StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
            .Select(resource => Load(assembly, resource, resource[prefix.Length..]))];
    }

    private static Migration Load(Assembly assembly, string resource, string name)
    {
        using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
        return new Migration(int.Parse(name.AsSpan(0, 4), NumberStyles.None, CultureInfo.InvariantCulture), name, reader.ReadToEnd());
    }
}

/// <summary>The database's schema cannot become what this release needs. Trying again does not help.</summary>
internal sealed class MigrationException(string message, Exception? innerException = null) : Exception(message, innerException);
