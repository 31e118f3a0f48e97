using System.Text.Json;
using RealtimeAspire.Checker.Load;
using RealtimeAspire.Checker.Proof;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Tests.Checker;

/// <summary>What a node that leaves has not answered may have been appended.</summary>
public sealed class FarewellTests
{
    [Theory]
    [InlineData("token_expired: The token has expired.")]
    [InlineData("Connection closed with an error.")]
    public async Task The_outcome_of_a_publish_under_way_is_unknown(string farewell)
    {
        await using var server = await LeavingHub.StartAsync(farewell);
        var tally = new Tally();
        await using var link = await HubLink.OpenAsync(server.Address, "token", "ada/0", null, null, tally, TimeProvider.System, TestContext.Current.CancellationToken);
        var request = new PublishRequest { Topic = "room:general", Event = "app:note", Id = "once", Payload = JsonSerializer.SerializeToElement(1) };

        var attempt = await Attempts.MakeAsync(link.Name, tally, () => link.PublishAsync(request, TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken));

        Assert.IsType<Answer.Unknown>(attempt.Answer);
        await link.Lost;
        Assert.Empty(tally.Untold);
    }
}
