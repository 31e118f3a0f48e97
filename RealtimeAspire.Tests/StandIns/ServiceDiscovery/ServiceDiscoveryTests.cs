using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Xunit;

namespace RealtimeAspire.Tests.StandIns.ServiceDiscovery;

public sealed class ServiceDiscoveryTests
{
    [Theory]
    [InlineData("https+http://both/a?b=c", "https://localhost:1002/a?b=c")]
    [InlineData("http+https://both/", "http://localhost:1001/")]
    [InlineData("http://both/", "http://localhost:1001/")]
    [InlineData("https+http://plain/x", "http://localhost:1003/x")]
    [InlineData("http://_admin.plain/x", "http://localhost:1004/x")]
    [InlineData("http://path/x", "http://localhost:1005/base/x")]
    [InlineData("https+http://mixed/", "https://localhost:1009/")]
    [InlineData("http://mixed/", "http://localhost:1008/")]
    [InlineData("http://bare/x", "http://localhost:1006/x")]
    [InlineData("http://single/x", "http://localhost:1007/x")]
    [InlineData("http://PLAIN/x", "http://localhost:1003/x")]
    [InlineData("http://unknown:81/x?y=z", "http://unknown:81/x?y=z")]
    [InlineData("https+http://unknown/x", "https://unknown/x")]
    [InlineData("http://_admin.unknown/x", "http://unknown/x")]
    [InlineData("http://_missing.plain/x", "http://plain/x")]
    [InlineData("https://plain/x", "https://plain/x")]
    [InlineData("http://127.0.0.1:82/x", "http://127.0.0.1:82/x")]
    public async Task A_service_name_becomes_the_configured_address(string asked, string sentTo)
    {
        var (client, sent) = Client(new()
        {
            ["services:both:http:0"] = "http://localhost:1001",
            ["services:both:https:0"] = "https://localhost:1002",
            ["services:plain:http:0"] = "http://localhost:1003",
            ["services:plain:admin:0"] = "http://localhost:1004",
            ["services:path:http:0"] = "http://localhost:1005/base",
            ["services:bare:default:0"] = "localhost:1006",
            ["services:mixed:default:0"] = "http://localhost:1008",
            ["services:mixed:default:1"] = "https://localhost:1009",
            ["services:single:http"] = "http://localhost:1007",
        });

        using var request = new HttpRequestMessage(HttpMethod.Get, asked);
        await client.SendAsync(request);

        Assert.Equal(new Uri(sentTo), Assert.Single(sent));
        Assert.Equal(new Uri(asked), request.RequestUri);
    }

    [Fact]
    public async Task Several_addresses_take_turns()
    {
        var (client, sent) = Client(new() { ["services:api:http:0"] = "http://localhost:1", ["services:api:http:1"] = "http://localhost:2" });

        for (var i = 0; i < 6; i++)
            await client.GetAsync(new Uri("http://api/"));

        Assert.Equal([3, 3], sent.CountBy(uri => uri.Port).OrderBy(count => count.Key).Select(count => count.Value));
        Assert.NotEqual(sent[0], sent[1]);
    }

    [Fact]
    public async Task Environment_variables_are_understood()
    {
        var key = $"services__env{Guid.NewGuid():N}__http__0";
        Environment.SetEnvironmentVariable(key, "http://localhost:1234");
        try
        {
            var (client, sent) = Client([]);
            await client.GetAsync(new Uri($"https+http://{key.Split("__")[1]}/"));
            Assert.Equal(1234, sent[0].Port);
        }
        finally
        {
            Environment.SetEnvironmentVariable(key, null);
        }
    }

    [Fact]
    public async Task A_value_that_is_no_address_is_named()
    {
        var (client, _) = Client(new() { ["services:api:http:0"] = "http://" });
        var exception = await Assert.ThrowsAsync<KeyNotFoundException>(() => client.GetAsync(new Uri("http://api/")));
        Assert.Contains("services:api:http", exception.Message, StringComparison.Ordinal);
    }

    private static (HttpClient Client, List<Uri> Sent) Client(Dictionary<string, string?> settings)
    {
        var sent = new List<Uri>();
        var services = new ServiceCollection();
        services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddEnvironmentVariables().AddInMemoryCollection(settings).Build());
        services.AddServiceDiscovery();
        services.AddHttpClient("test").AddServiceDiscovery().ConfigurePrimaryHttpMessageHandler(() => new Recorder(sent));
        return (services.BuildServiceProvider().GetRequiredService<IHttpClientFactory>().CreateClient("test"), sent);
    }

    private sealed class Recorder(List<Uri> sent) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            sent.Add(request.RequestUri!);
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK));
        }
    }
}
