using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.Configuration;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>
/// Turns <c>https+http://name</c> or <c>http://_endpoint.name</c> into an address of <c>services:name:endpoint:0, 1 …</c>.
/// The configuration is read at each request, so a change needs no watcher.
/// </summary>
internal sealed class ConfiguredEndpoints(IConfiguration configuration)
{
    private readonly ConcurrentDictionary<string, StrongBox<uint>> _turns = new();

    public Uri Resolve(Uri uri)
    {
        var schemes = uri.Scheme.Split('+');
        var (endpoint, service) = SplitHost(uri.Host);
        var section = configuration.GetSection("services").GetSection(service);

        // Without an endpoint name, "default" and then the wanted schemes serve as names.
        string[] names = endpoint is null ? ["default", .. schemes] : [endpoint];
        var named = names.Select(section.GetSection).FirstOrDefault(candidate => candidate.Exists());
        var addresses = named is null ? [] : OfBestScheme(Addresses(named), schemes);

        if (addresses.Length == 0)
            return new UriBuilder(uri) { Scheme = schemes[0], Host = service }.Uri;

        var turn = _turns.GetOrAdd(uri.GetLeftPart(UriPartial.Authority), _ => new StrongBox<uint>());
        return Rebase(uri, addresses[Interlocked.Increment(ref turn.Value) % addresses.Length], schemes[0]);
    }

    private static (string? Endpoint, string Service) SplitHost(string host)
    {
        var dot = host.IndexOf('.', StringComparison.Ordinal);
        return host.StartsWith('_') && dot > 1 ? (host[1..dot], host[(dot + 1)..]) : (null, host);
    }

    /// <summary>One value, or a list of them. An address without a scheme takes that of the request.</summary>
    private static Uri[] Addresses(IConfigurationSection section)
    {
        string?[] values = section.Value is { Length: > 0 } single ? [single] : [.. section.GetChildren().Select(child => child.Value)];
        return [.. values.Select(value => Uri.TryCreate(value?.Contains("://", StringComparison.Ordinal) == true ? value : $"any://{value}", UriKind.Absolute, out var address)
            ? address
            : throw new KeyNotFoundException($"'{section.Path}' must hold addresses such as http://localhost:5000, but holds '{value}'."))];
    }

    /// <summary>https+http: all https addresses, and the http ones only when there is none.</summary>
    private static Uri[] OfBestScheme(Uri[] addresses, string[] schemes)
    {
        var best = schemes.FirstOrDefault(scheme => addresses.Any(address => address.Scheme == scheme));
        return [.. addresses.Where(address => address.Scheme == best || address.Scheme == "any")];
    }

    private static Uri Rebase(Uri uri, Uri address, string scheme)
    {
        var result = new UriBuilder(uri) { Scheme = address.Scheme == "any" ? scheme : address.Scheme, Host = address.Host };
        if (address.Port > 0)
            result.Port = address.Port;
        if (address.AbsolutePath.Length > 1)
            result.Path = $"{address.AbsolutePath.TrimEnd('/')}/{uri.AbsolutePath.TrimStart('/')}";
        return result.Uri;
    }
}
