using System.Diagnostics;
using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>The section <c>Realtime:Faults</c>: for proofs, in development only.</summary>
internal sealed class FaultOptions
{
    /// <summary>The node kills itself after so many durable commits, before anybody is told of the last one. Default: 0, never.</summary>
    [System.ComponentModel.DataAnnotations.Range(0, int.MaxValue)]
    public int KillAfterCommit { get; set; }
}

/// <summary>Where a node can be made to die at the worst moment.</summary>
internal sealed class FaultPoints(IOptions<RealtimeOptions> options)
{
    private readonly int _killAfterCommit = options.Value.Faults.KillAfterCommit;
    private int _commits;

    /// <summary>An event is stored, and nobody has been told.</summary>
    public void Committed()
    {
        if (_killAfterCommit > 0 && Interlocked.Increment(ref _commits) >= _killAfterCommit)
        {
            // As kill -9 does: nothing is finished and nobody is asked.
            Process.GetCurrentProcess().Kill();
        }
    }
}
