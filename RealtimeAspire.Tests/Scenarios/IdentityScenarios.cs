using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>Accounts, refresh tokens and revocations on real nodes with a real database.</summary>
[Collection(WithTheMachineToThemselves.Name)]
public sealed class IdentityScenarios(Topology topology) : IAsyncLifetime
{
    private const string Password = "correct horse battery";

    private readonly string _user = $"u{Guid.NewGuid():N}";
    private HttpClient _admin = null!;
    private HttpClient _http = null!;

    public async ValueTask InitializeAsync()
    {
        _http = new HttpClient { BaseAddress = topology.Api };
        var admin = await PostAsync("/auth/token", new { user = "the-admin", grants = new[] { new { topic = "system:accounts", operations = new[] { "manage" } } } });
        _admin = Http(admin.Json.GetProperty("access_token").GetString()!);
    }

    public ValueTask DisposeAsync()
    {
        _admin.Dispose();
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task An_account_signs_in_by_its_password_only_and_a_changed_one_ends_what_it_had()
    {
        using var nobody = Http(await topology.TokenAsync("ada"));
        Assert.Equal(HttpStatusCode.Forbidden, (await SetAsync(nobody, new { password = Password })).Status);
        Assert.Equal("password_invalid", (await SetAsync(_admin, new { password = "short" })).Code);
        Assert.Equal("password_invalid", (await SetAsync(_admin, new { })).Code);
        Assert.Equal("request_invalid", (await SetAsync(_admin, new { password = Password, grants = 7 })).Code);
        Assert.Equal(HttpStatusCode.Created, (await SetAsync(_admin, new { password = Password })).Status);

        Assert.Equal("sign_in_failed", (await PostAsync("/auth/token", new { user = _user })).Code);
        Assert.Equal("sign_in_failed", (await PostAsync("/auth/token", new { user = _user, password = "wrong password" })).Code);
        Assert.Equal("sign_in_failed", (await PostAsync("/auth/token", new { user = $"{_user}x", password = "wrong password" })).Code);
        var first = await SignInAsync();
        Assert.Equal(HttpStatusCode.NoContent, (await SetAsync(_admin, new { password = "another password" })).Status);

        await IsRevokedEverywhereAsync(AccessOf(first));
        Assert.Equal("token_revoked", (await RefreshAsync(RefreshOf(first))).Code);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("/auth/token", new { user = _user, password = "another password" })).Status);
        using var deleted = await _admin.DeleteAsync($"/auth/accounts/{_user}", Topology.Cancelled);
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        Assert.Equal("sign_in_failed", (await PostAsync("/auth/token", new { user = _user, password = "another password" })).Code);
    }

    [Fact]
    public async Task Too_many_failures_lock_a_name_whether_there_is_an_account_or_not()
    {
        await SetAsync(_admin, new { password = Password });
        foreach (var name in new[] { _user, $"{_user}x" })
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PostAsync("/auth/token", new { user = name, password = "wrong password" })));
            Assert.Equal(5, answers.Count(answer => answer.Code == "sign_in_failed"));
            var locked = answers.Where(answer => answer.Code == "locked_out").ToArray();
            Assert.Equal(3, locked.Length);
            Assert.All(locked, answer => Assert.InRange(answer.RetryAfter!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30)));
        }

        Assert.Equal("locked_out", (await PostAsync("/auth/token", new { user = _user, password = Password })).Code);
    }

    [Fact]
    public async Task A_refresh_token_counts_once_and_one_that_is_used_again_ends_the_sign_in()
    {
        await SetAsync(_admin, new { password = Password });
        var other = await SignInAsync();
        var first = RefreshOf(await SignInAsync());
        // At the same moment, as two tabs do: the same successor.
        var both = await Task.WhenAll(RefreshAsync(first), RefreshAsync(first));
        Assert.Equal(RefreshOf(both[0]), RefreshOf(both[1]));
        var third = await RefreshAsync(RefreshOf(both[0]));
        Assert.Equal(HttpStatusCode.OK, third.Status);

        Assert.Equal("token_revoked", (await RefreshAsync(first)).Code);

        Assert.Equal("token_revoked", (await RefreshAsync(RefreshOf(third))).Code);
        await IsRevokedEverywhereAsync(AccessOf(third));
        await IsRevokedEverywhereAsync(AccessOf(both[1]));
        Assert.Equal(HttpStatusCode.OK, (await RefreshAsync(RefreshOf(other))).Status);
        Assert.Equal("token_invalid", (await RefreshAsync("rt_nothing")).Code);
    }

    [Fact]
    public async Task After_its_grace_a_used_refresh_token_ends_the_sign_in_too()
    {
        await SetAsync(_admin, new { password = Password });
        var first = RefreshOf(await SignInAsync());
        var second = RefreshOf(await RefreshAsync(first));
        await using (var database = await topology.OpenDatabaseAsync())
        {
            await using var older = database.CreateCommand();
            older.CommandText = $"update realtime.sign_ins set rotated_at = rotated_at - interval '11 s' where user_id = '{_user}'";
            await older.ExecuteNonQueryAsync(Topology.Cancelled);
        }

        Assert.Equal("token_revoked", (await RefreshAsync(first)).Code);
        Assert.Equal("token_revoked", (await RefreshAsync(second)).Code);
    }

    [Fact]
    public async Task A_revoked_user_s_connections_are_closed_on_every_node_within_a_second()
    {
        var nodes = topology.Nodes();
        var hubs = new List<RawHub>();
        foreach (var node in nodes)
        {
            hubs.Add(await RawHub.ConnectAsync(node.Address, await topology.TokenAsync(_user, node.Address)));
        }

        using var nobody = Http(await topology.TokenAsync("ada"));
        using var refused = await nobody.PostAsJsonAsync("/auth/revoke", new { user = _user }, Topology.Cancelled);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        var began = TimeProvider.System.GetTimestamp();
        using var revoked = await _admin.PostAsJsonAsync("/auth/revoke", new { user = _user }, Topology.Cancelled);
        Assert.Equal(HttpStatusCode.NoContent, revoked.StatusCode);

        foreach (var hub in hubs)
        {
            using (hub)
            {
                var close = await hub.ReadAsync(7);
                Assert.Contains("token_revoked", close!.Value.GetProperty("error").GetString(), StringComparison.Ordinal);
            }
        }

        Assert.InRange(TimeProvider.System.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        // Who signs in again is in again, in the same second too.
        using var again = Http(await topology.TokenAsync(_user));
        using var events = await again.GetAsync("/topics/room:a/events", Topology.Cancelled);
        Assert.Equal(HttpStatusCode.OK, events.StatusCode);
    }

    [Fact]
    public async Task Whoever_has_a_token_or_a_sign_in_may_take_it_back()
    {
        await SetAsync(_admin, new { password = Password });
        var first = await SignInAsync();
        var second = await SignInAsync();
        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("/auth/revoke", new { token = AccessOf(first) })).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("/auth/revoke", new { refresh_token = RefreshOf(second) })).Status);
        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("/auth/revoke", new { token = "nonsense" })).Status);
        Assert.Equal("request_invalid", (await PostAsync("/auth/revoke", new { })).Code);
        Assert.Equal("token_required", (await PostAsync("/auth/revoke", new { user = _user })).Code);

        await IsRevokedEverywhereAsync(AccessOf(first));
        await IsRevokedEverywhereAsync(AccessOf(second));
        Assert.Equal(HttpStatusCode.OK, (await RefreshAsync(RefreshOf(first))).Status);
        Assert.Equal("token_revoked", (await RefreshAsync(RefreshOf(second))).Code);
    }

    private static string AccessOf(Answer answer) => answer.Json.GetProperty("access_token").GetString()!;

    private static string RefreshOf(Answer answer) => answer.Json.GetProperty("refresh_token").GetString()!;

    private async Task IsRevokedEverywhereAsync(string token)
    {
        foreach (var node in topology.Nodes())
        {
            using var http = Http(token, node.Address);
            await Eventually.BecomesTrueAsync(
                async () =>
                {
                    using var answer = await http.GetAsync("/topics/room:a/events", Topology.Cancelled);
                    return (await AnswerOfAsync(answer)).Code == "token_revoked";
                },
                "the token still counts");
        }
    }

    private HttpClient Http(string token, Uri? node = null) =>
        new() { BaseAddress = node ?? topology.Api, DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };

    private async Task<Answer> SignInAsync()
    {
        var answer = await PostAsync("/auth/token", new { user = _user, password = Password });
        Assert.Equal(HttpStatusCode.OK, answer.Status);
        return answer;
    }

    private Task<Answer> RefreshAsync(string token) => PostAsync("/auth/refresh", new { refresh_token = token });

    private async Task<Answer> SetAsync(HttpClient http, object account)
    {
        using var answer = await http.PutAsJsonAsync($"/auth/accounts/{_user}", account, Topology.Cancelled);
        return await AnswerOfAsync(answer);
    }

    private async Task<Answer> PostAsync(string address, object body)
    {
        using var answer = await _http.PostAsJsonAsync(address, body, Topology.Cancelled);
        return await AnswerOfAsync(answer);
    }

    private static async Task<Answer> AnswerOfAsync(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync(Topology.Cancelled);
        return new Answer(answer.StatusCode, text.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(text), answer.Headers.RetryAfter?.Delta);
    }

    private sealed record Answer(HttpStatusCode Status, JsonElement Json, TimeSpan? RetryAfter)
    {
        public string? Code => Json.ValueKind is JsonValueKind.Object && Json.TryGetProperty("code", out var code) ? code.GetString() : null;
    }
}
