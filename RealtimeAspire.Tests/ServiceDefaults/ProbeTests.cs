using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Xunit;

namespace RealtimeAspire.Tests.ServiceDefaults;

public sealed class ProbeTests
{
    [Fact]
    public async Task A_service_whose_store_fails_is_alive_but_not_ready()
    {
        await using var app = await ServiceDefaultsApp.StartAsync(configure: AddFailingStore);

        using var health = await app.Client.GetAsync(new Uri("/health", UriKind.Relative));
        using var alive = await app.Client.GetAsync(new Uri("/alive", UriKind.Relative));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);
        Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        Assert.Equal("""{"status":"Unhealthy","checks":[{"name":"self","status":"Healthy"},{"name":"store","status":"Unhealthy"}]}""", await health.Content.ReadAsStringAsync());
        Assert.Equal("""{"status":"Healthy","checks":[{"name":"self","status":"Healthy"}]}""", await alive.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Only_in_development_it_says_why()
    {
        await using var app = await ServiceDefaultsApp.StartAsync(environment: "Development", configure: AddFailingStore);
        using var body = JsonDocument.Parse(await (await app.Client.GetAsync(new Uri("/health", UriKind.Relative))).Content.ReadAsStringAsync());
        Assert.Equal("no route to db.internal", body.RootElement.GetProperty("checks")[1].GetProperty("description").GetString());
    }

    [Fact]
    public async Task Probes_need_no_token_and_are_never_cached()
    {
        await using var app = await ServiceDefaultsApp.StartAsync(
            app => app.MapGet("/closed", () => "").RequireAuthorization(),
            configure: builder =>
            {
                builder.Services.AddAuthentication("none").AddCookie("none", options => options.Events.OnRedirectToLogin = context =>
                {
                    context.Response.StatusCode = (int)HttpStatusCode.Unauthorized;
                    return Task.CompletedTask;
                });
                builder.Services.AddAuthorizationBuilder().SetFallbackPolicy(new Microsoft.AspNetCore.Authorization.AuthorizationPolicyBuilder().RequireAuthenticatedUser().Build());
            });

        Assert.Equal(HttpStatusCode.Unauthorized, (await app.Client.GetAsync(new Uri("/closed", UriKind.Relative))).StatusCode);
        foreach (var path in new[] { "/health", "/alive" })
        {
            using var response = await app.Client.GetAsync(new Uri(path, UriKind.Relative));
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.True(response.Headers.CacheControl!.NoStore);
            Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        }
    }

    [Fact]
    public async Task Probes_and_what_they_cause_are_not_traced()
    {
        var name = $"ping {Guid.NewGuid()}";
        using var source = new ActivitySource("RealtimeAspire");
        bool? passedOn = null;
        await using var app = await ServiceDefaultsApp.StartAsync(
            app => app.MapGet("/ping", () => source.StartActivity(name)?.Stop()),
            // As Aspire sets it: with it a span is recorded even when its parent is not.
            settings: new() { ["OTEL_TRACES_SAMPLER"] = "always_on" },
            configure: builder => builder.Services.AddHealthChecks().AddCheck("store", () =>
            {
                source.StartActivity(name)?.Stop();
                passedOn = Activity.Current?.Recorded;
                return HealthCheckResult.Healthy();
            }));

        await app.Client.GetAsync(new Uri("/health", UriKind.Relative));
        await app.Client.GetAsync(new Uri("/alive", UriKind.Relative));
        Assert.DoesNotContain(app.AllSpans, span => span.DisplayName == name);
        // Nor by the services that the check asks.
        Assert.False(passedOn);

        await app.Client.GetAsync(new Uri("/ping", UriKind.Relative));
        // One connection, so that the probes' requests have ended before this one.
        Assert.All(await app.RequestsAsync(1), span => Assert.Equal("/ping", span.GetTagItem("url.path")));
        Assert.Single(app.AllSpans, span => span.DisplayName == name);
    }

    [Fact]
    public async Task A_check_that_hangs_and_ignores_its_token_is_bounded()
    {
        using var end = new ManualResetEventSlim();
        await using var app = await ServiceDefaultsApp.StartAsync(configure: builder => builder.Services.AddHealthChecks()
            .AddAsyncCheck("silent", async () =>
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, CancellationToken.None);
                return HealthCheckResult.Healthy();
            })
            .AddCheck("blocking", () =>
            {
                end.Wait();
                return HealthCheckResult.Healthy();
            }));

        using var response = await app.Client.GetAsync(new Uri("/health", UriKind.Relative)).WaitAsync(TimeSpan.FromSeconds(10));
        end.Set();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal(
            """{"status":"Unhealthy","checks":[{"name":"self","status":"Healthy"},{"name":"silent","status":"Unhealthy"},{"name":"blocking","status":"Unhealthy"}]}""",
            await response.Content.ReadAsStringAsync());
    }

    private static void AddFailingStore(WebApplicationBuilder builder) =>
        builder.Services.AddHealthChecks().AddCheck("store", () => throw new InvalidOperationException("no route to db.internal"));
}
