using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace RealtimeAspire.Server.Pipeline.Audit;

/// <summary>One row of a tenant's chain. What it says, and what came before it, is under its hash.</summary>
internal sealed record AuditRow
{
    public required string Tenant { get; init; }

    /// <summary>1, 2, 3 … within the tenant.</summary>
    public required long Seq { get; init; }

    public required Guid Id { get; init; }

    /// <summary>When it happened.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>When it was put on record; never falls within a tenant.</summary>
    public required DateTimeOffset WrittenAt { get; init; }

    public required string Action { get; init; }

    public required string Actor { get; init; }

    public string? Target { get; init; }

    public required string Code { get; init; }

    public string? Connection { get; init; }

    public string? Origin { get; init; }

    public required long Count { get; init; }

    /// <summary>A JSON object of strings.</summary>
    public string? Details { get; init; }

    /// <summary>The number of the newest checkpoint when it was written: a checkpoint that is taken away afterwards is missed.</summary>
    public required long Checkpoint { get; init; }

    public required string KeyId { get; init; }

    /// <summary>The hash of the row before it.</summary>
    public required byte[] Prev { get; init; }

    public byte[] Hash { get; init; } = [];

    public AuditRow Chain(AuditKey key) => this with { Hash = key.Sign(Form()) };

    public bool IsIntact(AuditKey key) => key.Verifies(Form(), Hash);

    private ReadOnlySpan<byte> Form() => new AuditForm("realtime audit row 1")
        .Add(Tenant).Add(Seq).Add(Id).Add(At).Add(WrittenAt).Add(Action).Add(Actor).Add(Target).Add(Code).Add(Connection).Add(Origin)
        .Add(Count).Add(Details).Add(Checkpoint).Add(KeyId).Add(Prev)
        .Written;
}

/// <summary>
/// What a tenant's chain was at a moment, signed, and chained to the checkpoint before it. The newest one says exactly which rows and
/// checkpoints there have to be: those between the cut and the head.
/// </summary>
internal sealed record AuditCheckpoint
{
    public required string Tenant { get; init; }

    /// <summary>1, 2, 3 … within the tenant.</summary>
    public required long Number { get; init; }

    public required DateTimeOffset At { get; init; }

    /// <summary>The last row, and its hash.</summary>
    public required long Seq { get; init; }

    public required byte[] Hash { get; init; }

    /// <summary>The last row that was removed because its time was over, and its hash; 0 and zeros where none was.</summary>
    public required long CutSeq { get; init; }

    public required byte[] CutHash { get; init; }

    /// <summary>The oldest checkpoint that is still kept.</summary>
    public required long FirstNumber { get; init; }

    public required string KeyId { get; init; }

    /// <summary>The signature of the checkpoint before it.</summary>
    public required byte[] Prev { get; init; }

    public byte[] Signature { get; init; } = [];

    /// <summary>How many rows there were.</summary>
    public long Count => Seq - CutSeq;

    public AuditCheckpoint Sign(AuditKey key) => this with { Signature = key.Sign(Form()) };

    public bool IsGenuine(AuditKey key) => key.Verifies(Form(), Signature);

    private ReadOnlySpan<byte> Form() => new AuditForm("realtime audit checkpoint 1")
        .Add(Tenant).Add(Number).Add(At).Add(Seq).Add(Hash).Add(CutSeq).Add(CutHash).Add(FirstNumber).Add(KeyId).Add(Prev)
        .Written;
}

/// <summary>Where a tenant's chain ends, for those who append. Unsigned: the rows and checkpoints have to agree with it.</summary>
/// <param name="Seq">The last row.</param>
/// <param name="Hash">Its hash.</param>
/// <param name="WrittenAt">When it was written.</param>
/// <param name="Checkpoint">The newest checkpoint's number; 0 where there is none.</param>
internal readonly record struct AuditHead(long Seq, byte[] Hash, DateTimeOffset WrittenAt, long Checkpoint);

/// <summary>The bytes under a hash: each field with its length before it, so that no two records have the same.</summary>
internal sealed class AuditForm
{
    private const int Missing = -1;

    private readonly ArrayBufferWriter<byte> _bytes = new(512);

    /// <param name="label">Tells what is signed from everything else that is signed with the key.</param>
    public AuditForm(string label) => Add(label);

    public ReadOnlySpan<byte> Written => _bytes.WrittenSpan;

    public AuditForm Add(string? text)
    {
        if (text is null)
        {
            return AddLength(Missing);
        }

        AddLength(Encoding.UTF8.GetByteCount(text));
        Encoding.UTF8.GetBytes(text, _bytes);
        return this;
    }

    public AuditForm Add(byte[] bytes)
    {
        AddLength(bytes.Length);
        _bytes.Write(bytes);
        return this;
    }

    public AuditForm Add(long number)
    {
        BinaryPrimitives.WriteInt64BigEndian(_bytes.GetSpan(sizeof(long)), number);
        _bytes.Advance(sizeof(long));
        return this;
    }

    /// <summary>To the microsecond, as the database keeps it.</summary>
    public AuditForm Add(DateTimeOffset time) => Add((time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond);

    public AuditForm Add(Guid id) => Add(id.ToByteArray(bigEndian: true));

    private AuditForm AddLength(int length)
    {
        BinaryPrimitives.WriteInt32BigEndian(_bytes.GetSpan(sizeof(int)), length);
        _bytes.Advance(sizeof(int));
        return this;
    }
}
