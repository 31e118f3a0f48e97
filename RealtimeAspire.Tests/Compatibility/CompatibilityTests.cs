using System.Text.Json;
using RealtimeAspire.Server.Pipeline.Connections;

namespace RealtimeAspire.Tests.Compatibility;

/// <summary>The official SignalR clients, from npm in Node and from their bundles in Chromium, on all that can be under a hub.</summary>
public sealed class CompatibilityTests(CompatibilityRun run) : IClassFixture<CompatibilityRun>
{
    public static TheoryData<string, string, bool, string> Rows
    {
        get
        {
            var rows = new TheoryData<string, string, bool, string>();
            foreach (var client in (string[])["node", "chromium"])
            {
                foreach (var pairing in CompatibilityRun.Pairings)
                {
                    rows.Add(client, pairing.Protocol, pairing.Negotiates, pairing.Sockets.ToString());
                }
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task An_official_client_finds_what_it_expects(string client, string protocol, bool negotiates, string sockets)
    {
        var results = await run.ResultsAsync(client, new Pairing(protocol, negotiates, Enum.Parse<SocketMode>(sockets)));

        Assert.NotEmpty(results);
        Assert.True(results.All(result => result.Passed), string.Join("\n", results.Where(result => !result.Passed).Select(result => $"{result.Name}\n  {result.Error}")));
    }

    /// <summary>Where the cases leave open what is right, errors for example, the standard is.</summary>
    [Theory]
    [MemberData(nameof(Rows))]
    public async Task An_official_client_sees_what_it_sees_of_the_standard(string client, string protocol, bool negotiates, string sockets)
    {
        var results = await run.ResultsAsync(client, new Pairing(protocol, negotiates, Enum.Parse<SocketMode>(sockets)));
        var standard = await run.ResultsAsync(client, new Pairing(protocol, negotiates, SocketMode.Standard));

        Assert.Equal(standard.Select(Seen), results.Select(Seen));
    }

    [Fact]
    public async Task Negotiations_were_answered_by_other_nodes_than_those_with_the_sockets()
    {
        foreach (var pairing in CompatibilityRun.Pairings)
        {
            await run.ResultsAsync("node", pairing);
            await run.ResultsAsync("chromium", pairing);
        }

        Assert.All(run.Split.Negotiating, node => Assert.True(node is { Negotiations: > 0, Sockets: 0 }));
        Assert.All(run.Split.Carrying, node => Assert.True(node is { Negotiations: 0, Sockets: > 0 }));
    }

    private static string Seen(CaseResult result) => $"{result.Name}: {(result.Seen.ValueKind is JsonValueKind.Undefined ? "" : result.Seen.GetRawText())}";
}
