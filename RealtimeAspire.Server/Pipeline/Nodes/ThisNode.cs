using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Connections;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Server.Pipeline.Nodes;

/// <summary>What this node has, and does when it is asked to.</summary>
internal sealed class ThisNode(ConnectionFactory connections, SubscribePath subscribe)
{
    private const int MaxTopicsTold = 1_000;
    private const int HashBytes = 8;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(4);

    public async Task<NodeAnswer> AnswerAsync(NodeQuestion question)
    {
        var concerned = connections.Connections.Where(connection => Concerns(question, connection));
        return question.Kind switch
        {
            NodeQuestionKind.Connections => new NodeAnswer
            {
                Connections = [.. Behind(concerned, question, static connection => connection.Id.ToString()).Select(ToInfo)],
            },
            NodeQuestionKind.Topics => new NodeAnswer { Counts = Count(concerned.SelectMany(TopicsOf), question) },
            NodeQuestionKind.Members => new NodeAnswer { Counts = Count(concerned.Select(static connection => connection.Caller.UserId), question) },
            NodeQuestionKind.Occupancy => CountUsers([.. concerned]),
            NodeQuestionKind.Close => Close([.. concerned], question.Reconnect ? ErrorCode.ConnectAgain : ErrorCode.ConnectionClosed),
            NodeQuestionKind.Subscribe => await SubscribeAsync([.. concerned.Where(IsHub)], question.Topic!),
            NodeQuestionKind.Unsubscribe => Unsubscribe([.. concerned], question.Topic!),
            _ => new NodeAnswer(),
        };
    }

    private static bool Concerns(NodeQuestion question, Connection connection) =>
        connection.Caller.Tenant == question.Tenant
        && (question.User is null || connection.Caller.UserId == question.User)
        && (question.Connection is null || connection.Id == question.Connection)
        // Who is to be subscribed need not be yet; of topics the others are left out later.
        && (question.Topic is null || question.Kind is NodeQuestionKind.Subscribe or NodeQuestionKind.Topics || connection.IsSubscribed(KeyOf(question)));

    private static TopicKey KeyOf(NodeQuestion question) => new(question.Tenant, TopicName.Parse(question.Topic!));

    private static IEnumerable<string> TopicsOf(Connection connection) => connection.Subscriptions.Select(static subscription => subscription.Topic.Name.Value);

    private static IEnumerable<T> Behind<T>(IEnumerable<T> all, NodeQuestion question, Func<T, string> name) => all
        .Select(one => (Name: name(one), One: one))
        .Where(named => question.After is null || string.CompareOrdinal(named.Name, question.After) > 0)
        .OrderBy(static named => named.Name, StringComparer.Ordinal)
        .Take(question.Limit)
        .Select(static named => named.One);

    /// <summary>With <see cref="NodeQuestionKind.Topics"/> the topic is the beginning of names.</summary>
    private static NodeCount[] Count(IEnumerable<string> names, NodeQuestion question)
    {
        var start = question.Kind is NodeQuestionKind.Topics ? question.Topic ?? "" : "";
        var counts = names.Where(name => name.StartsWith(start, StringComparison.Ordinal)).CountBy(static name => name, StringComparer.Ordinal);
        return [.. Behind(counts.Select(static count => new NodeCount(count.Key, count.Value)), question, static count => count.Name)];
    }

    private static NodeAnswer CountUsers(Connection[] concerned)
    {
        string[] users = [.. concerned.Select(static connection => connection.Caller.UserId).Distinct(StringComparer.Ordinal)];
        var hashes = new byte[users.Length * HashBytes];
        for (var i = 0; i < users.Length; i++)
        {
            SHA256.HashData(Encoding.UTF8.GetBytes(users[i])).AsSpan(0, HashBytes).CopyTo(hashes.AsSpan(i * HashBytes));
        }

        return new NodeAnswer { Count = concerned.Length, Users = hashes };
    }

    /// <summary>How many users several nodes have together.</summary>
    public static int CountUsers(IEnumerable<NodeAnswer> answers)
    {
        var users = new HashSet<long>();
        foreach (var answer in answers)
        {
            for (var at = 0; at + HashBytes <= answer.Users.Length; at += HashBytes)
            {
                users.Add(BinaryPrimitives.ReadInt64LittleEndian(answer.Users.AsSpan(at)));
            }
        }

        return users.Count;
    }

    private static NodeAnswer Close(Connection[] concerned, ErrorCode reason)
    {
        foreach (var connection in concerned)
        {
            connection.Close(reason);
        }

        return new NodeAnswer { Count = concerned.Length };
    }

    /// <summary>As if each had asked for it, with its own rights, from now on; it is told where that is.</summary>
    private async Task<NodeAnswer> SubscribeAsync(Connection[] concerned, string topic)
    {
        var refusals = new List<ConnectionRefusal>();
        using var patience = new CancellationTokenSource(Patience);
        foreach (var connection in concerned)
        {
            try
            {
                var answer = await subscribe.SubscribeAsync(connection, new SubscribeRequest { Topic = topic }, patience.Token);
                connection.Send(new Control { Type = Control.Subscribed, Topic = topic, Position = answer.Position });
            }
            catch (RealtimeException exception)
            {
                refusals.Add(new ConnectionRefusal(connection.Id, exception.ToBody()));
            }
            catch (OperationCanceledException)
            {
                refusals.Add(new ConnectionRefusal(connection.Id, new RealtimeException(ErrorCode.Overloaded).ToBody()));
            }
        }

        return new NodeAnswer { Count = concerned.Length - refusals.Count, Refusals = refusals };
    }

    private static NodeAnswer Unsubscribe(Connection[] concerned, string topic)
    {
        foreach (var connection in concerned)
        {
            if (connection.Subscriptions.FirstOrDefault(subscription => subscription.Topic.Name.Value == topic) is { } subscription)
            {
                connection.Drop(subscription, new Control
                {
                    Type = Control.Unsubscribed,
                    Topic = topic,
                    Code = ErrorCode.SubscriptionEnded.Code,
                    Reason = ErrorCode.SubscriptionEnded.Sentence,
                });
            }
        }

        return new NodeAnswer { Count = concerned.Length };
    }

    /// <summary>The topics of the others are said once, at their beginning.</summary>
    private static bool IsHub(Connection connection) => connection.Transport == Connection.Hub;

    private static OpenConnection ToInfo(Connection connection) => new(
        connection.Id,
        connection.Caller.UserId,
        connection.Transport,
        connection.OpenedAt,
        connection.Caller.Expires,
        [.. TopicsOf(connection).Order(StringComparer.Ordinal).Take(MaxTopicsTold)]);
}
