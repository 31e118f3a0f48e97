using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Connections.Client;
using Microsoft.AspNetCore.Http.Connections.Client.Internal;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Microsoft.AspNetCore.SignalR.Client;

public static class HubConnectionBuilderHttpExtensions
{
    public static IHubConnectionBuilder WithUrl(this IHubConnectionBuilder hubConnectionBuilder, string url, Action<HttpConnectionOptions> configureHttpConnection) =>
        hubConnectionBuilder.WithUrl(new Uri(url), configureHttpConnection);

    public static IHubConnectionBuilder WithUrl(this IHubConnectionBuilder hubConnectionBuilder, Uri url, Action<HttpConnectionOptions> configureHttpConnection)
    {
        ArgumentNullException.ThrowIfNull(hubConnectionBuilder);
        hubConnectionBuilder.Services.Configure<HttpConnectionOptions>(options => options.Url = url);
        hubConnectionBuilder.Services.Configure(configureHttpConnection);
        hubConnectionBuilder.Services.AddSingleton<EndPoint>(services => new UriEndPoint(services.GetRequiredService<IOptions<HttpConnectionOptions>>().Value.Url!));
        hubConnectionBuilder.Services.AddSingleton<IConnectionFactory, WebSocketConnectionFactory>();
        return hubConnectionBuilder;
    }
}
