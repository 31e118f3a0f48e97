using System.Globalization;
using System.Net.Http.Headers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using RealtimeAspire.Tests.Fuzzing;

namespace RealtimeAspire.Tests.Scenarios;

/// <summary>
/// A node with a real database is sent what no client should send, to each address of its OpenAPI document. <c>REALTIME_LONG=1</c> sends more;
/// <c>REALTIME_FUZZ_SEED</c> repeats the inputs of an earlier run.
/// </summary>
[Collection(SharedTopology.Name)]
public sealed class FuzzScenarios(Topology topology)
{
    private static readonly int Inputs = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? 200_000 : 6_000;

    [Fact]
    public async Task Every_address_answers_whatever_it_is_sent_with_a_code_and_is_never_at_a_loss()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("REALTIME_FUZZ_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        await using var database = await PostgresDatabase.CreateAsync(topology);
        using var errors = new ErrorLog();
        await using var node = await TenantNode.StartAsync(database, services => services.AddSingleton<ILoggerProvider>(errors));
        // Until it is ready it says so.
        errors.Entries.Clear();
        using var http = new HttpClient { BaseAddress = node.Address };
        var fuzzer = new DocumentFuzzer(http, () => new AuthenticationHeaderValue("Bearer", TenantNode.Token("default", "ada", """[{"topic":"*","operations":["*"]}]""")), new FuzzMill(seed));

        await fuzzer.RunAsync(Inputs);

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"seed {seed}: {fuzzer.Answered} done, {fuzzer.Refused} refused; never done: {string.Join(", ", fuzzer.NeverDone)}"));
        var found = fuzzer.Findings.Select(finding => $"{finding.Key} {finding.Value}").Concat(errors.Entries).ToArray();
        Assert.True(found.Length == 0, string.Create(CultureInfo.InvariantCulture, $"Seed {seed}: {string.Join("\n", found)}"));
        Assert.True(fuzzer.Answered > Inputs / 10 && fuzzer.Refused > Inputs / 10, "too few were nearly right");
    }
}
