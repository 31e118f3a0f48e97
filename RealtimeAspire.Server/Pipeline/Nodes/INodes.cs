namespace RealtimeAspire.Server.Pipeline.Nodes;

/// <summary>All nodes of the system, this one among them.</summary>
internal interface INodes
{
    /// <summary>Asks all of them.</summary>
    /// <param name="question">What.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <returns>What they have answered within five seconds, and whether all have.</returns>
    /// <exception cref="Protocol.RealtimeException"><c>nodes_unreachable</c>: the others cannot be asked.</exception>
    Task<(IReadOnlyList<NodeAnswer> Answers, bool IsComplete)> AskAsync(NodeQuestion question, CancellationToken cancellationToken);
}

/// <summary>A node that is alone.</summary>
internal sealed class OnlyNode(ThisNode node) : INodes
{
    public async Task<(IReadOnlyList<NodeAnswer> Answers, bool IsComplete)> AskAsync(NodeQuestion question, CancellationToken cancellationToken) =>
        ([await node.AnswerAsync(question)], true);
}
