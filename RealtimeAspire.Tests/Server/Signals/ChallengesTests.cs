using RealtimeAspire.Server.Pipeline;
using RealtimeAspire.Server.Pipeline.Signals;

namespace RealtimeAspire.Tests.Server.Signals;

/// <summary>Proofs of work.</summary>
public sealed class ChallengesTests
{
    private static readonly Fingerprint Client = new(7);
    private static readonly Fingerprint Other = new(8);

    private readonly ShiftingTime _time = new();

    [Fact]
    public void A_proof_counts_once_for_the_client_that_was_asked_and_in_its_time()
    {
        var (one, two) = (Node(), Node());
        var proof = Solve(one.Make(Client), 12);

        Assert.False(one.IsProven(proof, Other, default, takes: true));
        // A negotiation looks at it only.
        Assert.True(one.IsProven(proof, Client, default, takes: false));
        Assert.True(one.IsProven(proof, Client, default, takes: true));
        Assert.False(one.IsProven(proof, Client, default, takes: true));
        // Another node knows it by its key, and by the salt before too.
        Assert.True(two.IsProven(proof, Other, Client, takes: true));
        var late = Solve(one.Make(Client), 12);
        _time.Shift += TimeSpan.FromSeconds(121);
        Assert.False(one.IsProven(late, Client, default, takes: true));
    }

    [Fact]
    public void What_is_not_worked_for_or_not_asked_for_is_no_proof()
    {
        var node = Node();
        var challenge = node.Make(Client);
        var proof = Solve(challenge, 12);
        var parts = proof.Split('.');

        Assert.All(
            [
                null, "", "x", challenge, $"{challenge}.", Worthless(challenge), $"{parts[0]}.1.{parts[2]}.{parts[3]}.{parts[4]}", $"{long.MaxValue}.{parts[1]}.{parts[2]}.{parts[3]}.{parts[4]}",
                $"{proof}.x", $"{challenge}.{new string('x', 33)}", $"{challenge}.ä", Solve($"{parts[0]}.{parts[1]}.{parts[2]}.{new string('A', 22)}", 12),
            ],
            wrong => Assert.False(node.IsProven(wrong, Client, default, takes: true)));
        Assert.True(node.IsProven(proof, Client, default, takes: true));
    }

    [Fact]
    public void Used_proofs_are_remembered_for_as_long_as_they_would_count_and_take_no_more_room_than_there_is()
    {
        var used = new UsedProofs();

        Assert.True(used.IsNew("a", end: 100, now: 0, takes: true));
        Assert.True(used.IsNew("b", end: 110, now: 60, takes: true));
        Assert.False(used.IsNew("a", end: 100, now: 99, takes: true));
        Assert.False(used.IsNew("b", end: 110, now: 105, takes: true));
        Assert.Equal(120_000, Enumerable.Range(0, 120_000).Count(i => used.IsNew($"{i}", end: 300, now: 200, takes: true)));
        Assert.False(used.IsNew("119999", end: 300, now: 200, takes: true));
    }

    /// <summary>As docs/protocol.md tells clients to.</summary>
    internal static string Solve(string challenge, int bits) => Enumerable.Range(0, int.MaxValue).Select(i => $"{challenge}.{i}").First(proof => Challenges.ZeroBitsOf(proof) >= bits);

    private static string Worthless(string challenge) => Enumerable.Range(0, int.MaxValue).Select(i => $"{challenge}.{i}").First(proof => Challenges.ZeroBitsOf(proof) < 12);

    private Challenges Node()
    {
        var options = Microsoft.Extensions.Options.Options.Create(new RealtimeOptions { Auth = { SigningKey = TestServer.SigningKey }, Signals = { ProofBits = 12 } });
        return new Challenges(new SignalSecret(options), options, _time);
    }

    private sealed class ShiftingTime : TimeProvider
    {
        public TimeSpan Shift { get; set; }

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + Shift;
    }
}
