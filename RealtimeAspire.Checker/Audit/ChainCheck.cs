using RealtimeAspire.Server.Pipeline.Audit;

namespace RealtimeAspire.Checker.Audit;

/// <summary>
/// Judges one tenant's chain: first its checkpoints by their numbers, then its rows by theirs, then the end. Of the rows it keeps
/// nothing. Pure: no clock, no I/O.
/// </summary>
/// <param name="tenant">Whose.</param>
/// <param name="keys">Those that were ever used, by their ids.</param>
/// <param name="found">Told each finding.</param>
internal sealed class ChainCheck(string tenant, IReadOnlyDictionary<string, AuditKey> keys, Action<AuditFinding> found)
{
    // How far a row may have been moved to be recognised as one that was.
    private const int MovedAtMost = 1_000;

    private static readonly byte[] Zeros = new byte[32];

    private readonly List<AuditCheckpoint> _checkpoints = [];
    private AuditCheckpoint? _last;
    private bool _lastIsGenuine = true;
    private int _due;
    private long _seq;
    private byte[]? _hash = Zeros;
    private long _claimed;
    private bool _begun;

    public long Rows { get; private set; }

    public void Add(AuditCheckpoint checkpoint)
    {
        if (Judge(checkpoint.KeyId, checkpoint.IsGenuine) is not true)
        {
            Say(
                keys.ContainsKey(checkpoint.KeyId) ? AuditFindingKind.ForgedCheckpoint : AuditFindingKind.UnknownKey,
                checkpoint.Number,
                keys.ContainsKey(checkpoint.KeyId) ? "its signature is not one of the key's" : $"the checkpoint is signed with the key {checkpoint.KeyId}, which was not given");
            _lastIsGenuine = false;
            return;
        }

        if (checkpoint.Tenant != tenant)
        {
            Say(AuditFindingKind.ForgedCheckpoint, checkpoint.Number, $"it is one of {checkpoint.Tenant}");
            return;
        }

        if (_last is not null)
        {
            Compare(_last, checkpoint);
        }

        _last = checkpoint;
        _lastIsGenuine = true;
        _checkpoints.Add(checkpoint);
    }

    public void Add(AuditRow row)
    {
        Begin();
        Rows++;
        var intact = Judge(row.KeyId, row.IsIntact);
        if (row.Seq <= _seq)
        {
            Say(AuditFindingKind.Reordered, row.Seq, $"it comes after row {_seq}, or is there more than once");
            return;
        }

        if (row.Seq > _seq + 1)
        {
            Say(AuditFindingKind.Missing, _seq + 1, row.Seq == _seq + 2 ? "it is not there" : $"it and those up to {row.Seq - 1} are not there");
            _hash = null;
        }

        if (intact is null)
        {
            Say(AuditFindingKind.UnknownKey, row.Seq, $"it was written with the key {row.KeyId}, which was not given");
        }
        else if (intact is false)
        {
            SayBroken(row);
        }
        else if (_hash is not null && !row.Prev.AsSpan().SequenceEqual(_hash))
        {
            Say(AuditFindingKind.Changed, row.Seq - 1, row.Seq == 1 ? "the chain has another beginning" : $"row {row.Seq} follows on another one than this");
        }

        CompareWithCheckpoints(row, intact is true);
        _seq = row.Seq;
        // What a broken row says of itself is worth nothing; the next one tells what was here.
        _hash = intact is true ? row.Hash : null;
        _claimed = intact is true ? Math.Max(_claimed, row.Checkpoint) : _claimed;
    }

    /// <summary>There are no more rows.</summary>
    /// <param name="head">The last row by the word of the table of heads, which is not signed; null where that is not known.</param>
    public void End(long? head)
    {
        Begin();
        var until = Math.Max(_checkpoints.Count == 0 ? 0 : _checkpoints.Max(checkpoint => checkpoint.Seq), head ?? 0);
        if (_seq < until)
        {
            Say(AuditFindingKind.CutOff, _seq + 1, until == _seq + 1 ? "it is not there, and was the last one" : $"it and those up to {until}, the last one, are not there");
        }
        else if (head is { } end && end < _seq)
        {
            Say(AuditFindingKind.Changed, end, $"the table of heads says that the chain ends here, but there is a row {_seq}");
        }

        if (_claimed > (_last?.Number ?? 0))
        {
            Say(AuditFindingKind.MissingCheckpoint, _claimed, "a row names it, and it is not there");
        }
    }

    /// <summary>The newest genuine checkpoint says with which row and checkpoint the chain begins.</summary>
    private void Begin()
    {
        if (_begun)
        {
            return;
        }

        _begun = true;
        if (_last is null)
        {
            return;
        }

        (_seq, _hash) = (_last.CutSeq, _last.CutHash);
        var first = _checkpoints[0].Number;
        if (first > _last.FirstNumber)
        {
            Say(AuditFindingKind.MissingCheckpoint, _last.FirstNumber, $"the oldest that is there is {first}");
        }

        while (_due < _checkpoints.Count && _checkpoints[_due].Seq < _last.CutSeq)
        {
            _due++;
        }
    }

    private void Compare(AuditCheckpoint before, AuditCheckpoint checkpoint)
    {
        if (checkpoint.Number > before.Number + 1 && _lastIsGenuine)
        {
            Say(AuditFindingKind.MissingCheckpoint, before.Number + 1, $"the next that is there is {checkpoint.Number}");
        }
        else if (checkpoint.Number <= before.Number)
        {
            Say(AuditFindingKind.ForgedCheckpoint, checkpoint.Number, "it is there more than once");
        }
        else if (checkpoint.Number == before.Number + 1 && !checkpoint.Prev.AsSpan().SequenceEqual(before.Signature))
        {
            Say(AuditFindingKind.ForgedCheckpoint, before.Number, "the next one follows on another than this");
        }

        if (checkpoint.Seq < before.Seq || checkpoint.CutSeq < before.CutSeq)
        {
            Say(AuditFindingKind.ForgedCheckpoint, checkpoint.Number, $"it ends at row {checkpoint.Seq}, before the end of the one before it, {before.Seq}");
        }
    }

    private void CompareWithCheckpoints(AuditRow row, bool intact)
    {
        for (; _due < _checkpoints.Count && _checkpoints[_due].Seq <= row.Seq; _due++)
        {
            if (intact && _checkpoints[_due].Seq == row.Seq && !_checkpoints[_due].Hash.AsSpan().SequenceEqual(row.Hash))
            {
                Say(AuditFindingKind.Changed, row.Seq, $"checkpoint {_checkpoints[_due].Number} was signed over another row: what was written before was cut off and written anew");
            }
        }
    }

    private void SayBroken(AuditRow row)
    {
        for (var moved = 1; moved <= MovedAtMost; moved++)
        {
            foreach (var seq in new[] { row.Seq - moved, row.Seq + moved })
            {
                if ((row with { Seq = seq }).IsIntact(keys[row.KeyId]))
                {
                    Say(AuditFindingKind.Reordered, row.Seq, $"it was written as row {seq}");
                    return;
                }
            }
        }

        Say(AuditFindingKind.Changed, row.Seq, "it is not what was written");
    }

    private bool? Judge(string keyId, Func<AuditKey, bool> isGood) => keys.TryGetValue(keyId, out var key) ? isGood(key) : null;

    private void Say(AuditFindingKind kind, long? seq, string what) => found(new AuditFinding(kind, tenant, seq, what));
}
