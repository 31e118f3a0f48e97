using RealtimeAspire.Checker.Audit;
using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Tests.Checker;

/// <summary>Every single edit, removal, exchange and cut of a chain is found and named; the chain as it was written is whole.</summary>
public sealed class ChainCheckLaws
{
    private const int Length = 9;

    private static readonly AuditKey Key = AuditKey.From("an-audit-key-of-the-tests-and-of-nobody-else");
    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
    private static readonly (IReadOnlyList<AuditRow> Rows, IReadOnlyList<AuditCheckpoint> Checkpoints) Honest = Make(Key);

    private static readonly Func<AuditRow, AuditRow>[] Edits =
    [
        row => row with { Action = "admin.other" }, row => row with { Actor = "user:eve" }, row => row with { Target = "other" }, row => row with { Target = null },
        row => row with { Code = "forbidden" }, row => row with { Count = 7 }, row => row with { At = row.At.AddMicroseconds(1) },
        row => row with { WrittenAt = row.WrittenAt.AddMicroseconds(-1) }, row => row with { Details = "{}" }, row => row with { Connection = "c" },
        row => row with { Origin = "10.0.0.0/24" }, row => row with { Id = Guid.Empty }, row => row with { Checkpoint = row.Checkpoint + 1 },
        row => row with { Prev = new byte[32] }, row => row with { Hash = new byte[32] }, row => row with { Tenant = "other" },
    ];

    [Fact]
    public void A_chain_as_it_was_written_is_whole() => Assert.Empty(Check(Honest.Rows, Honest.Checkpoints));

    [Fact]
    public void Each_edit_of_each_row_is_found_and_named()
    {
        for (var i = 0; i < Length; i++)
        {
            foreach (var edit in Edits.Where(edit => !IsSame(edit(Honest.Rows[i]), Honest.Rows[i])))
            {
                var finding = Assert.Single(Check(With(Honest.Rows, i, edit(Honest.Rows[i])), Honest.Checkpoints));
                Assert.Equal((AuditFindingKind.Changed, i + 1), (finding.Kind, finding.Seq));
            }
        }
    }

    [Fact]
    public void Each_removal_is_found_and_named()
    {
        for (var from = 0; from < Length; from++)
        {
            for (var to = from + 1; to <= Length; to++)
            {
                var finding = Assert.Single(Check([.. Honest.Rows.Take(from), .. Honest.Rows.Skip(to)], Honest.Checkpoints));
                Assert.Equal((to == Length ? AuditFindingKind.CutOff : AuditFindingKind.Missing, from + 1), (finding.Kind, finding.Seq));
            }
        }
    }

    [Fact]
    public void Each_exchange_of_two_rows_is_found_and_named()
    {
        for (var i = 0; i < Length; i++)
        {
            for (var j = i + 1; j < Length; j++)
            {
                var rows = With(With(Honest.Rows, i, Honest.Rows[j] with { Seq = i + 1 }), j, Honest.Rows[i] with { Seq = j + 1 });
                var found = Check(rows, Honest.Checkpoints);
                Assert.Equal([(AuditFindingKind.Reordered, i + 1L), (AuditFindingKind.Reordered, j + 1L)], found.Select(finding => (finding.Kind, finding.Seq!.Value)));
            }
        }
    }

    [Fact]
    public void Each_row_that_is_there_twice_is_found() => Assert.All(Enumerable.Range(0, Length), i => Assert.Contains(
        Check([.. Honest.Rows.Take(i + 1), Honest.Rows[i], .. Honest.Rows.Skip(i + 1)], Honest.Checkpoints),
        finding => finding.Kind is AuditFindingKind.Reordered && finding.Seq == i + 1));

    [Fact]
    public void A_checkpoint_that_is_changed_or_taken_away_is_found()
    {
        for (var i = 0; i < Honest.Checkpoints.Count; i++)
        {
            var forged = With(Honest.Checkpoints, i, Honest.Checkpoints[i] with { Seq = 1 });
            Assert.Contains(Check(Honest.Rows, forged), finding => finding.Kind is AuditFindingKind.ForgedCheckpoint && finding.Seq == i + 1);
            var left = Honest.Checkpoints.Where((_, at) => at != i).ToList();
            // The last one is named by no row yet: that is what copies outside are for.
            Assert.Equal(i < Honest.Checkpoints.Count - 1, Check(Honest.Rows, left).Any(finding => finding.Kind is AuditFindingKind.MissingCheckpoint));
        }
    }

    [Fact]
    public void An_end_that_was_cut_off_and_written_anew_with_the_key_contradicts_its_checkpoint()
    {
        var rows = Honest.Rows.Take(Length - 2).ToList();
        while (rows.Count < Length)
        {
            rows.Add((Honest.Rows[rows.Count] with { Actor = "user:eve", Prev = rows[^1].Hash }).Chain(Key));
        }

        Assert.Contains(Check(rows, Honest.Checkpoints), finding => finding.Kind is AuditFindingKind.Changed && finding.Seq == Length);
    }

    [Fact]
    public void What_was_pruned_is_not_missed_and_nothing_else_may_be_gone()
    {
        var last = Honest.Checkpoints[^1];
        var cut = (last with { Number = last.Number + 1, Prev = last.Signature, CutSeq = 4, CutHash = Honest.Rows[3].Hash, FirstNumber = last.Number + 1 }).Sign(Key);

        Assert.Empty(Check(Honest.Rows.Skip(4), [cut]));
        Assert.Equal(AuditFindingKind.Missing, Assert.Single(Check(Honest.Rows.Skip(5), [cut])).Kind);
    }

    [Fact]
    public void Rows_of_another_key_are_told_as_what_cannot_be_judged_and_with_it_they_are_whole()
    {
        var older = AuditKey.From("an-older-key-of-the-tests-and-of-nobody-else");
        var (rows, checkpoints) = Make(older);

        Assert.All(Check(rows, checkpoints), finding => Assert.Equal(AuditFindingKind.UnknownKey, finding.Kind));
        Assert.Empty(Check(rows, checkpoints, Key, older));
    }

    private static List<AuditFinding> Check(IEnumerable<AuditRow> rows, IEnumerable<AuditCheckpoint> checkpoints, params AuditKey[] keys)
    {
        var found = new List<AuditFinding>();
        var check = new ChainCheck("acme", (keys.Length == 0 ? [Key] : keys).ToDictionary(key => key.Id), found.Add);
        foreach (var checkpoint in checkpoints)
        {
            check.Add(checkpoint);
        }

        foreach (var row in rows)
        {
            check.Add(row);
        }

        check.End(head: null);
        return found;
    }

    private static (IReadOnlyList<AuditRow> Rows, IReadOnlyList<AuditCheckpoint> Checkpoints) Make(AuditKey key)
    {
        var (rows, checkpoints) = (new List<AuditRow>(), new List<AuditCheckpoint>());
        for (var seq = 1; seq <= Length; seq++)
        {
            var at = Start.AddMinutes(seq);
            rows.Add(new AuditRow
            {
                Tenant = "acme", Seq = seq, Id = new Guid(seq, 0, 0, new byte[8]), At = at, WrittenAt = at, Action = "admin.act", Actor = "user:ada", Target = $"room:{seq}", Code = "ok",
                Count = 1, Checkpoint = checkpoints.Count, KeyId = key.Id, Prev = seq == 1 ? new byte[32] : rows[^1].Hash,
            }.Chain(key));
            if (seq % 3 == 0)
            {
                checkpoints.Add(new AuditCheckpoint
                {
                    Tenant = "acme", Number = checkpoints.Count + 1, At = at, Seq = seq, Hash = rows[^1].Hash, CutSeq = 0, CutHash = new byte[32], FirstNumber = 1, KeyId = key.Id,
                    Prev = checkpoints.Count == 0 ? new byte[32] : checkpoints[^1].Signature,
                }.Sign(key));
            }
        }

        return (rows, checkpoints);
    }

    private static List<T> With<T>(IReadOnlyList<T> all, int at, T other) => [.. all.Take(at), other, .. all.Skip(at + 1)];

    private static bool IsSame(AuditRow edited, AuditRow row) => (edited with { Prev = row.Prev, Hash = row.Hash }) == row && edited.Prev.SequenceEqual(row.Prev) && edited.Hash.SequenceEqual(row.Hash);
}
