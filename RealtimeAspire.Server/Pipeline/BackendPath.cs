using Npgsql;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Audit;
using RealtimeAspire.Server.Pipeline.Authorization;
using RealtimeAspire.Server.Pipeline.Nodes;
using RealtimeAspire.Server.Pipeline.Topics;
using RealtimeAspire.Server.Pipeline.TopicLogs;
using RealtimeAspire.Server.Storage;

namespace RealtimeAspire.Server.Pipeline;

/// <summary>
/// What backends see of the tenant's connections and topics on all nodes, and do to them: authorize, put what changes something on record, ask every node.
/// </summary>
internal sealed class BackendPath(
    INodes nodes, TopicAccess access, Memberships memberships, TopicCatalog topics, LogCatalog logs, AuditTrail audit, NpgsqlDataSource? dataSource = null)
{
    private const int DefaultLimit = 100;
    private const int MaxLimit = 1_000;
    private const int MaxUserLength = 255;

    private const string FindTopics = "select topic from realtime.topics where tenant = $1 and topic > $2 and starts_with(topic, $3) and last_offset > 0 order by topic limit $4";

    private static readonly TopicName Connections = TopicName.Parse("system:connections");
    private static readonly TopicName Topics = TopicName.Parse("system:topics");

    /// <summary>A page of the tenant's connections, in the order in which they were opened.</summary>
    /// <param name="caller">Who asks: a manager of <c>system:connections</c>.</param>
    /// <param name="user">Only this user's.</param>
    /// <param name="topic">Only those that are subscribed to this.</param>
    /// <param name="after">Untrusted: those behind this one.</param>
    /// <param name="limit">Untrusted: 1 or more, cut to 1,000.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<ConnectionList> ListConnectionsAsync(
        Caller caller, string? user, string? topic, string? after, int? limit, CancellationToken cancellationToken)
    {
        TopicAccess.RequireManage(caller, Connections);
        var size = RequireLimit(limit);
        var question = new NodeQuestion
        {
            Kind = NodeQuestionKind.Connections,
            Tenant = caller.Tenant,
            User = user,
            Topic = topic is null ? null : TopicName.Parse(topic).Value,
            After = after is null ? null : RequireConnection(after).ToString(),
            Limit = size,
        };
        var (answers, isComplete) = await nodes.AskAsync(question, cancellationToken);
        var found = answers.SelectMany(static answer => answer.Connections).OrderBy(static connection => connection.Id.ToString(), StringComparer.Ordinal);
        return new ConnectionList([.. found.Take(size)], isComplete);
    }

    /// <summary>One connection.</summary>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<OpenConnection> FindConnectionAsync(Caller caller, string connection, CancellationToken cancellationToken)
    {
        TopicAccess.RequireManage(caller, Connections);
        var question = new NodeQuestion { Kind = NodeQuestionKind.Connections, Tenant = caller.Tenant, Connection = RequireConnection(connection) };
        var (answers, isComplete) = await nodes.AskAsync(question, cancellationToken);
        return answers.SelectMany(static answer => answer.Connections).FirstOrDefault()
            ?? throw new RealtimeException(isComplete ? ErrorCode.NotFound : ErrorCode.NodesUnreachable, isComplete ? "There is no such connection." : ErrorCode.NodesUnreachable.Sentence);
    }

    /// <summary>Closes one connection, or all of a user. They end within a second, on whichever node they are.</summary>
    /// <param name="caller">Who asks: a manager of <c>system:connections</c>.</param>
    /// <param name="connection">Untrusted; null: all of the user.</param>
    /// <param name="user">Whose; null: only the connection counts.</param>
    /// <param name="reconnect">Whether the clients are to come back.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<ActOutcome> CloseAsync(Caller caller, string? connection, string? user, bool reconnect, CancellationToken cancellationToken)
    {
        TopicAccess.RequireManage(caller, Connections);
        Guid? id = connection is null ? null : RequireConnection(connection);
        if (id is null)
        {
            RequireUser(user);
        }

        await audit.RecordAsync(AuditAction.Revoked, caller.Tenant, AuditActor.Of(caller), id is null ? $"user:{user}" : $"connection:{id}", details: ("reconnect", reconnect ? "yes" : "no"));
        var question = new NodeQuestion { Kind = NodeQuestionKind.Close, Tenant = caller.Tenant, Connection = id, User = user, Reconnect = reconnect };
        var outcome = await ActAsync(question, cancellationToken);
        return id is not null && outcome is { Connections: 0, Complete: true } ? throw new RealtimeException(ErrorCode.NotFound, "There is no such connection.") : outcome;
    }

    /// <summary>Subscribes a user's hub connections to a topic, from now on, as far as he may; each is told.</summary>
    /// <param name="caller">Who asks: a manager of <c>system:connections</c>.</param>
    /// <param name="user">Untrusted.</param>
    /// <param name="topic">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public Task<ActOutcome> SubscribeAsync(Caller caller, string user, string? topic, CancellationToken cancellationToken) =>
        ChangeAsync(caller, NodeQuestionKind.Subscribe, user, topic, "subscribed", cancellationToken);

    /// <summary>Ends a user's subscriptions to a topic; each connection is told. He may subscribe again: rights are another matter.</summary>
    /// <inheritdoc cref="SubscribeAsync"/>
    public Task<ActOutcome> UnsubscribeAsync(Caller caller, string user, string topic, CancellationToken cancellationToken) =>
        ChangeAsync(caller, NodeQuestionKind.Unsubscribe, user, topic, "unsubscribed", cancellationToken);

    /// <summary>A page of the tenant's topics, by name: those that have durable events, and those that somebody is subscribed to.</summary>
    /// <param name="caller">Who asks: a manager of <c>system:topics</c>.</param>
    /// <param name="prefix">Only those that begin so.</param>
    /// <param name="after">Untrusted: those behind this one.</param>
    /// <param name="limit">Untrusted: 1 or more, cut to 1,000.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<TopicList> ListTopicsAsync(Caller caller, string? prefix, string? after, int? limit, CancellationToken cancellationToken)
    {
        TopicAccess.RequireManage(caller, Topics);
        var size = RequireLimit(limit);
        var question = new NodeQuestion { Kind = NodeQuestionKind.Topics, Tenant = caller.Tenant, Topic = prefix, After = after, Limit = size };
        var (answers, isComplete) = await nodes.AskAsync(question, cancellationToken);
        var live = Sum(answers);
        foreach (var stored in await ReadTopicsAsync(caller.Tenant, prefix ?? "", after ?? "", size, cancellationToken))
        {
            live.TryAdd(stored, 0);
        }

        var page = live.OrderBy(static topic => topic.Key, StringComparer.Ordinal).Take(size).Select(static topic => new TopicEntry(topic.Key, topic.Value));
        return new TopicList([.. page], isComplete);
    }

    /// <summary>What there is to know of a topic, and how many are subscribed to it.</summary>
    /// <param name="caller">Who asks: whoever has <c>presence</c> on it.</param>
    /// <param name="topicName">Untrusted.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<TopicInfo> FindTopicAsync(Caller caller, string topicName, CancellationToken cancellationToken)
    {
        var (topic, policy) = RequirePresence(caller, topicName);
        var question = new NodeQuestion { Kind = NodeQuestionKind.Occupancy, Tenant = caller.Tenant, Topic = topic.Name.Value };
        var asking = nodes.AskAsync(question, cancellationToken);
        var position = policy.Durability is Durability.Ephemeral ? (Position?)null : await logs.TipsOf(policy).ReadAsync(topic, cancellationToken);
        var (answers, isComplete) = await asking;
        return new TopicInfo(
            topic.Name.Value,
            policy.Type,
            policy.Durability.ToString().ToLowerInvariant(),
            memberships.IsPrivate(caller.Tenant, topic.Name),
            position,
            new Occupancy(answers.Sum(static answer => answer.Count), ThisNode.CountUsers(answers)),
            isComplete);
    }

    /// <summary>A page of the users who are subscribed to a topic, by name.</summary>
    /// <param name="caller">Who asks: whoever has <c>presence</c> on it.</param>
    /// <param name="topicName">Untrusted.</param>
    /// <param name="after">Untrusted: those behind this one.</param>
    /// <param name="limit">Untrusted: 1 or more, cut to 1,000.</param>
    /// <param name="cancellationToken">Ends with the request.</param>
    /// <exception cref="RealtimeException">Refused or failed, with a code.</exception>
    public async Task<SubscriberList> ListSubscribersAsync(Caller caller, string topicName, string? after, int? limit, CancellationToken cancellationToken)
    {
        var (topic, _) = RequirePresence(caller, topicName);
        var size = RequireLimit(limit);
        var question = new NodeQuestion { Kind = NodeQuestionKind.Members, Tenant = caller.Tenant, Topic = topic.Name.Value, After = after, Limit = size };
        var (answers, isComplete) = await nodes.AskAsync(question, cancellationToken);
        var page = Sum(answers).OrderBy(static user => user.Key, StringComparer.Ordinal).Take(size).Select(static user => new Subscriber(user.Key, user.Value));
        return new SubscriberList([.. page], isComplete);
    }

    private static Dictionary<string, int> Sum(IReadOnlyList<NodeAnswer> answers) => answers
        .SelectMany(static answer => answer.Counts)
        .AggregateBy(static count => count.Name, 0, static (sum, count) => sum + count.Count, StringComparer.Ordinal)
        .ToDictionary(StringComparer.Ordinal);

    private static int RequireLimit(int? limit) =>
        limit < 1 ? throw new RealtimeException(ErrorCode.RequestInvalid, "A limit is 1 or more.") : Math.Min(limit ?? DefaultLimit, MaxLimit);

    private static Guid RequireConnection(string connection) =>
        Guid.TryParseExact(connection, "D", out var id) ? id : throw new RealtimeException(ErrorCode.RequestInvalid, "A connection's id is a UUID, as the list of connections has it.");

    private static void RequireUser(string? user)
    {
        if (user is not { Length: > 0 and <= MaxUserLength })
        {
            throw new RealtimeException(ErrorCode.UserInvalid, $"A user is 1 to {MaxUserLength} characters.");
        }
    }

    private async Task<ActOutcome> ChangeAsync(Caller caller, NodeQuestionKind kind, string user, string? topicName, string act, CancellationToken cancellationToken)
    {
        TopicAccess.RequireManage(caller, Connections);
        RequireUser(user);
        var topic = TopicName.Parse(topicName);
        topics.Get(topic);
        await audit.RecordAsync(AuditAction.Admin, caller.Tenant, AuditActor.Of(caller), topic.Value, details: [("user", user), ("act", act)]);
        return await ActAsync(new NodeQuestion { Kind = kind, Tenant = caller.Tenant, User = user, Topic = topic.Value }, cancellationToken);
    }

    private async Task<ActOutcome> ActAsync(NodeQuestion question, CancellationToken cancellationToken)
    {
        var (answers, isComplete) = await nodes.AskAsync(question, cancellationToken);
        return new ActOutcome(answers.Sum(static answer => answer.Count), [.. answers.SelectMany(static answer => answer.Refusals)], isComplete);
    }

    private (TopicKey Topic, TopicPolicy Policy) RequirePresence(Caller caller, string topicName)
    {
        var name = TopicName.Parse(topicName);
        var policy = topics.Get(name);
        if (!TopicAccess.MayManage(caller, name))
        {
            access.RequirePresence(caller, policy, name);
        }

        return (new TopicKey(caller.Tenant, name), policy);
    }

    private async Task<IReadOnlyList<string>> ReadTopicsAsync(string tenant, string prefix, string after, int limit, CancellationToken cancellationToken)
    {
        if (dataSource is null)
        {
            // A node without Postgres has no durable topics.
            return [];
        }

        try
        {
            await using var batch = dataSource.CreateReading(tenant);
            batch.BatchCommands.Add(new NpgsqlBatchCommand(FindTopics)
            {
                Parameters = { new() { Value = tenant }, new() { Value = after }, new() { Value = prefix }, new() { Value = (long)limit } },
            });
            await using var reader = await batch.ReadAsync(cancellationToken);
            List<string> found = [];
            while (await reader.ReadAsync(cancellationToken))
            {
                found.Add(reader.GetString(0));
            }

            return found;
        }
        catch (NpgsqlException exception)
        {
            throw new RealtimeException(ErrorCode.LogUnavailable, ErrorCode.LogUnavailable.Sentence, exception);
        }
    }
}

/// <summary>A page of connections.</summary>
/// <param name="Connections">In the order in which they were opened.</param>
/// <param name="Complete">Whether every node has answered.</param>
internal sealed record ConnectionList(IReadOnlyList<OpenConnection> Connections, bool Complete);

/// <summary>What was done to connections.</summary>
/// <param name="Connections">To how many.</param>
/// <param name="Refused">To which it was not done, and why.</param>
/// <param name="Complete">Whether every node has answered.</param>
internal sealed record ActOutcome(int Connections, IReadOnlyList<ConnectionRefusal> Refused, bool Complete);

/// <summary>A page of topics.</summary>
/// <param name="Topics">By name.</param>
/// <param name="Complete">Whether every node has answered.</param>
internal sealed record TopicList(IReadOnlyList<TopicEntry> Topics, bool Complete);

/// <summary>A topic.</summary>
/// <param name="Topic">Its name.</param>
/// <param name="Connections">How many are subscribed to it.</param>
internal sealed record TopicEntry(string Topic, int Connections);

/// <summary>What there is to know of a topic.</summary>
/// <param name="Topic">Its name.</param>
/// <param name="Type">The type whose policy it has.</param>
/// <param name="Durability"><c>durable</c>, <c>recoverable</c> or <c>ephemeral</c>.</param>
/// <param name="Private">Whether only its members have it.</param>
/// <param name="Position">Its newest event; null where there are no positions.</param>
/// <param name="Occupancy">How many are subscribed to it.</param>
/// <param name="Complete">Whether every node has answered.</param>
internal sealed record TopicInfo(string Topic, string Type, string Durability, bool Private, Position? Position, Occupancy Occupancy, bool Complete);

/// <summary>A page of those who are subscribed to a topic.</summary>
/// <param name="Subscribers">By name.</param>
/// <param name="Complete">Whether every node has answered.</param>
internal sealed record SubscriberList(IReadOnlyList<Subscriber> Subscribers, bool Complete);

/// <summary>Somebody who is subscribed to a topic.</summary>
/// <param name="User">Who.</param>
/// <param name="Connections">Over how many connections.</param>
internal sealed record Subscriber(string User, int Connections);
