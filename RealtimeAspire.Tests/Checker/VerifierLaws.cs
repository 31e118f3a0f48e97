using FsCheck;
using FsCheck.Fluent;
using RealtimeAspire.Checker.Proof;
using Record = RealtimeAspire.Checker.Proof.Record;

namespace RealtimeAspire.Tests.Checker;

/// <summary>A checker that finds nothing proves nothing: what is honest passes, and each single breach is found.</summary>
public sealed class VerifierLaws
{
    private static readonly int Runs = Environment.GetEnvironmentVariable("REALTIME_LONG") == "1" ? 10_000 : 300;

    [Theory]
    [InlineData("durable")]
    [InlineData("recoverable")]
    [InlineData("ephemeral")]
    public void An_honest_run_passes(string durability) => ForAll(seed =>
    {
        var verdict = Verifier.Verify(HonestRun.Make(seed, Enum.Parse<Durability>(durability, ignoreCase: true)));
        return verdict.Held.Label($"seed {seed}: {verdict}");
    });

    [Fact]
    public void An_event_that_is_left_out_is_found() => Finds(Mutation.Drop, ViolationKind.Hole);

    [Fact]
    public void An_event_that_comes_twice_is_found() => Finds(Mutation.Double, ViolationKind.Doubled);

    [Fact]
    public void Two_events_that_are_swapped_are_found() => Finds(Mutation.Swap, ViolationKind.OutOfOrder);

    [Fact]
    public void An_id_that_nobody_sent_is_found() => Finds(Mutation.ForeignId, ViolationKind.Foreign);

    [Fact]
    public void Another_publish_s_id_is_found() => Finds(Mutation.OtherId, [Durability.Durable], ViolationKind.Disagreement, ViolationKind.Foreign);

    [Fact]
    public void Another_payload_under_an_id_is_found() => Finds(Mutation.OtherPayload, ViolationKind.Altered);

    /// <summary>Where nobody else has seen what is at that offset, or at the event's own, all there is to see is the hole in front of it.</summary>
    [Fact]
    public void Another_offset_is_found() => Finds(Mutation.OtherOffset, ViolationKind.Disagreement, ViolationKind.Doubled, ViolationKind.Hole);

    [Fact]
    public void Another_timestamp_is_found() => Finds(Mutation.OtherTime, [Durability.Durable], ViolationKind.Disagreement);

    [Fact]
    public void A_logged_event_without_a_position_is_found() => Finds(Mutation.WithoutPosition, ViolationKind.Foreign);

    [Fact]
    public void An_epoch_that_changes_silently_is_found() => Finds(Mutation.SilentEpoch, ViolationKind.SilentEpoch, ViolationKind.Hole);

    [Fact]
    public void A_subscriber_that_hears_nothing_any_more_is_found() => Finds(Mutation.Deafen, ViolationKind.Lost, ViolationKind.Hole);

    [Fact]
    public void A_durable_topic_s_subscriber_that_is_told_of_a_gap_is_found() => Finds(Mutation.TellLost, [Durability.Durable], ViolationKind.ToldLost);

    [Fact]
    public void A_recovery_in_part_is_found() => Finds(Mutation.RecoverInPart, [Durability.Recoverable], ViolationKind.PartialRecovery);

    [Fact]
    public void A_log_that_forgets_what_it_acknowledged_is_found() => Finds(Mutation.Forget, [Durability.Durable], ViolationKind.Lost);

    [Fact]
    public void Time_that_falls_within_a_topic_is_found() => Finds(Mutation.FallInTime, ViolationKind.Timestamp);

    [Fact]
    public void An_acknowledgement_of_another_position_is_found() => Finds(Mutation.AcknowledgeElsewhere, [Durability.Durable], ViolationKind.TwoOutcomes, ViolationKind.Disagreement, ViolationKind.Doubled, ViolationKind.Lost);

    [Fact]
    public void A_retry_that_is_new_again_is_found() => Finds(Mutation.BeNewTwice, ViolationKind.TwoOutcomes);

    [Fact]
    public void A_refused_event_that_arrives_is_found() => Finds(Mutation.RefuseTheStored, ViolationKind.Foreign);

    [Fact]
    public void Events_of_one_connection_in_another_order_are_found() => Finds(Mutation.SendInOtherOrder, ViolationKind.PublisherOrder);

    [Fact]
    public void Ephemeral_events_of_one_connection_in_another_order_are_found() => Finds(Mutation.SwapOfOneConnection, [Durability.Ephemeral], ViolationKind.PublisherOrder);

    [Fact]
    public void An_ephemeral_event_that_was_sent_once_and_comes_twice_is_found() => Finds(Mutation.DoubleOfOneConnection, [Durability.Ephemeral], ViolationKind.Doubled);

    [Fact]
    public void An_ephemeral_event_with_a_position_is_found() => Finds(Mutation.WithPosition, [Durability.Ephemeral], ViolationKind.Foreign);

    private static void Finds(Func<Record, Random, Record?> mutate, params ViolationKind[] kinds) => Finds(mutate, [Durability.Durable, Durability.Recoverable], kinds);

    private static void Finds(Func<Record, Random, Record?> mutate, Durability[] durabilities, params ViolationKind[] kinds)
    {
        foreach (var durability in durabilities)
        {
            var occasions = 0;
            ForAll(seed =>
            {
                if (mutate(HonestRun.Make(seed, durability), new Random(seed)) is not { } broken)
                {
                    return true.ToProperty();
                }

                occasions++;
                var verdict = Verifier.Verify(broken);
                return verdict.Violations.Any(violation => kinds.Contains(violation.Kind)).Label($"seed {seed}, {durability}: {verdict}");
            });
            Assert.True(occasions > 10, $"Only {occasions} {durability} runs could be broken in this way.");
        }
    }

    private static void ForAll(Func<int, Property> law) =>
        Prop.ForAll(Gen.Choose(0, int.MaxValue).ToArbitrary(), law).Check(Config.QuickThrowOnFailure.WithMaxTest(Runs));
}
