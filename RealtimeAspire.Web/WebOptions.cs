using Microsoft.Extensions.Options;

namespace RealtimeAspire.Web;

/// <summary>Settings of the web client, section <c>Web</c>.</summary>
internal sealed class WebOptions
{
    /// <summary>
    /// The API's address as browsers reach it, for example <c>https://realtime.example.org</c>. Default: the address that
    /// service discovery has for <c>api</c>.
    /// </summary>
    public string? ApiUrl { get; set; }

    /// <summary>
    /// The API's address as this server reaches it. Default: what service discovery has for <c>api</c>, else <see cref="ApiUrl"/>.
    /// </summary>
    public Uri ApiFromHere { get; set; } = null!;

    /// <summary>
    /// Folder of the keys that protect the session cookie; every replica needs the same one. Default: the user's folder for
    /// application data. Losing it signs everybody out.
    /// </summary>
    public string? KeysFolder { get; set; }

    /// <summary>Scheme, host and port of <see cref="ApiUrl"/>, for the page's connections and its security policy.</summary>
    public Uri ApiOrigin => new(new Uri(ApiUrl!).GetLeftPart(UriPartial.Authority));
}

internal static class WebOptionsFeature
{
    public static void AddWebOptions(this IHostApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        builder.Services.AddOptions<WebOptions>()
            .BindConfiguration("Web")
            .PostConfigure(options =>
            {
                var discovered = configuration["services:api:https:0"] ?? configuration["services:api:http:0"];
                options.ApiUrl ??= configuration["services:api:http:0"] ?? discovered;
                options.ApiFromHere ??= Uri.TryCreate(discovered ?? options.ApiUrl, UriKind.Absolute, out var api) ? api : null!;
            })
            .ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<WebOptions>, WebOptionsValidator>();
    }
}

internal sealed class WebOptionsValidator : IValidateOptions<WebOptions>
{
    public ValidateOptionsResult Validate(string? name, WebOptions options) => options.ApiUrl switch
    {
        null or "" => ValidateOptionsResult.Fail("Web:ApiUrl is missing, and service discovery has no address for 'api' (services:api:http:0)."),
        { } url when !Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https") || uri.PathAndQuery != "/"
            => ValidateOptionsResult.Fail($"Web:ApiUrl must be scheme, host and port, like http://localhost:5200, and is '{url}'."),
        _ => ValidateOptionsResult.Success,
    };
}
