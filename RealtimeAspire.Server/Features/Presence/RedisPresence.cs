using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Options;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Pipeline.Backplane;
using RealtimeAspire.Server.Pipeline.Limits;
using RealtimeAspire.Server.Pipeline.Topics;
using StackExchange.Redis;

namespace RealtimeAspire.Server.Features.Presence;

/// <summary>
/// What nodes know of each other's members. Of each topic Redis has a hash with the version of each node's section, and for each of
/// these nodes a hash of its entries; of each user one with what he has chosen; and one set of the nodes, each until its lease ends.
/// Whatever fails is not tried again here: the driver writes or reads the whole.
/// </summary>
internal sealed class RedisPresence(RedisLink link, RedisChannels channels, NodeId node, IOptions<PresenceOptions> options, TimeProvider time)
{
    private const string Nodes = "realtime:presence:nodes";
    private const string Users = "realtime:presence:users";
    private const int TopicsAtOnce = 500;

    // How long something is kept of which nobody says anything: entries, which their nodes write again before that, and users.
    private static readonly TimeSpan EntryLife = TimeSpan.FromHours(1);
    private static readonly TimeSpan UserLife = TimeSpan.FromDays(30);

    // By Redis' clock; each lease as long as its node says.
    private const string Beat = """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
        local known = redis.call('ZSCORE', KEYS[1], ARGV[1])
        redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
        return {known and 1 or 0, redis.call('ZRANGE', KEYS[1], 0, -1)}
        """;

    // The change of a section, if Redis has it in the version before; or, with no version before, the whole.
    private const string Write = """
        if ARGV[2] == '0' then
          redis.call('DEL', KEYS[2])
        elseif redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
          return 0
        end
        for i = 7, #ARGV, 2 do
          if ARGV[i + 1] == '' then
            redis.call('HDEL', KEYS[2], ARGV[i])
          else
            redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
          end
        end
        if redis.call('EXISTS', KEYS[2]) == 1 then
          redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
          redis.call('PEXPIRE', KEYS[1], ARGV[4])
          redis.call('PEXPIRE', KEYS[2], ARGV[4])
        else
          redis.call('HDEL', KEYS[1], ARGV[1])
        end
        redis.call('PUBLISH', ARGV[5], ARGV[6])
        return 1
        """;

    private const string Read = """
        local all = redis.call('HGETALL', KEYS[1])
        local sections = {}
        for i = 1, #all, 2 do
          sections[#sections + 1] = {all[i], all[i + 1], redis.call('HGETALL', KEYS[1] .. ':' .. all[i])}
        end
        return sections
        """;

    private const string ReadVersions = """
        local all = {}
        for i = 1, #KEYS do
          all[i] = redis.call('HGETALL', KEYS[i])
        end
        return all
        """;

    private const string ReadUser = "return redis.call('HGETALL', KEYS[1])";

    private const string Forget = """
        redis.call('HDEL', KEYS[1], ARGV[1])
        redis.call('DEL', KEYS[2])
        return 1
        """;

    private const string Enter = """
        redis.call('HSET', KEYS[1], 'n:' .. ARGV[1], 1)
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return redis.call('HMGET', KEYS[1], 'status', 'text', 'at')
        """;

    private const string Leave = """
        redis.call('HDEL', KEYS[1], 'n:' .. ARGV[1])
        redis.call('HSET', KEYS[1], 'seen', ARGV[3])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return 1
        """;

    private const string Choose = """
        if tonumber(redis.call('HGET', KEYS[1], 'at') or '0') < tonumber(ARGV[1]) then
          redis.call('HSET', KEYS[1], 'at', ARGV[1], 'status', ARGV[2], 'text', ARGV[3])
          redis.call('PEXPIRE', KEYS[1], ARGV[4])
        end
        redis.call('PUBLISH', ARGV[5], ARGV[6])
        return 1
        """;

    /// <summary>Redis answers again, and may have forgotten everything, or messages may have been missed.</summary>
    public event Action? Restored
    {
        add
        {
            link.Restored += value;
            channels.Restored += value;
        }

        remove
        {
            link.Restored -= value;
            channels.Restored -= value;
        }
    }

    public long Node => node.Value;

    public bool IsConnected => link.IsConnected && channels.IsConnected;

    /// <summary>This node lives. Null: Redis has not answered.</summary>
    /// <returns>Whether its lease was still known, and who has one.</returns>
    public async Task<(bool WasKnown, IReadOnlySet<long> Nodes)?> BeatAsync()
    {
        var answer = await link.EvaluateAsync(Beat, Nodes, time, Name(node.Value), (long)options.Value.Lease.TotalMilliseconds);
        if (answer is null)
        {
            return null;
        }

        var parts = (RedisResult[])answer!;
        return ((int)parts[0] == 1, ((string[])parts[1]!).Select(Number).ToHashSet());
    }

    /// <summary>Hears what nodes say of a topic's members until disposed.</summary>
    /// <param name="topic">The topic.</param>
    /// <param name="received">Called in order; must only enqueue.</param>
    public Task<IAsyncDisposable> ListenAsync(TopicKey topic, Action<PresenceNews> received) => channels.SubscribeAsync(ChannelOf(topic), message =>
    {
        if (PresenceNews.Read(message) is { } news && news.Node != node.Value)
        {
            received(news);
        }
    });

    /// <summary>Hears what nodes say of users until disposed.</summary>
    public Task<IAsyncDisposable> ListenAsync(Action<UserNews> received) => channels.SubscribeAsync(Users, message =>
    {
        if (UserNews.Read(message) is { } news)
        {
            received(news);
        }
    });

    /// <summary>Writes a change of this node's section and tells the others. False: it is not known whether Redis has it, or what was before it.</summary>
    public async Task<bool> WriteAsync(TopicKey topic, PresenceDelta delta)
    {
        List<RedisValue> arguments =
        [
            Name(node.Value), delta.Previous, delta.Version, (long)EntryLife.TotalMilliseconds, ChannelOf(topic), new PresenceNews(node.Value, delta).Write(),
        ];
        foreach (var (connection, entry) in delta.Changes)
        {
            arguments.Add(connection.ToString());
            arguments.Add(entry is null ? RedisValue.EmptyString : JsonSerializer.SerializeToUtf8Bytes(entry, PresenceJson.Default.PresenceEntry));
        }

        return await link.EvaluateAsync(Write, KeysOf(topic, node.Value), time, [.. arguments]) is { } answer && (int)answer == 1;
    }

    /// <summary>The sections of all nodes, as of one moment. Null: Redis has not answered.</summary>
    public async Task<IReadOnlyDictionary<long, PresenceSection>?> ReadAsync(TopicKey topic)
    {
        var answer = await link.EvaluateAsync(Read, [KeyOf(topic)], time);
        if (answer is null)
        {
            return null;
        }

        var sections = new Dictionary<long, PresenceSection>();
        foreach (var section in (RedisResult[])answer!)
        {
            var parts = (RedisResult[])section!;
            var fields = (RedisValue[])parts[2]!;
            var entries = ImmutableDictionary.CreateBuilder<Guid, PresenceEntry>();
            for (var i = 0; i < fields.Length; i += 2)
            {
                if (Guid.TryParse((string?)fields[i], out var connection) && EntryOf(fields[i + 1]) is { } entry)
                {
                    entries[connection] = entry;
                }
            }

            sections[Number((string)parts[0]!)] = new PresenceSection(Number((string)parts[1]!), entries.ToImmutable());
        }

        return sections;
    }

    /// <summary>Of which version the sections of topics are, in one round trip for <see cref="TopicsAtOnce"/>. Of a topic that is missing Redis has not answered.</summary>
    public async Task<IReadOnlyDictionary<TopicKey, IReadOnlyDictionary<long, long>>> ReadVersionsAsync(IReadOnlyCollection<TopicKey> topics)
    {
        var versions = new Dictionary<TopicKey, IReadOnlyDictionary<long, long>>();
        foreach (var some in topics.Chunk(TopicsAtOnce))
        {
            if (await link.EvaluateAsync(ReadVersions, [.. some.Select(static topic => (RedisKey)KeyOf(topic))], time) is not { } answer)
            {
                break;
            }

            foreach (var (topic, sections) in some.Zip((RedisResult[])answer!))
            {
                versions[topic] = ((string[])sections!).Chunk(2).ToDictionary(static pair => Number(pair[0]), static pair => Number(pair[1]));
            }
        }

        return versions;
    }

    /// <summary>A node is gone. Should it come back, it writes its section again.</summary>
    public Task ForgetAsync(TopicKey topic, long gone) => link.EvaluateAsync(Forget, KeysOf(topic, gone), time, Name(gone));

    /// <summary>A user has come to this node. Null: Redis has not answered.</summary>
    public async Task<UserChoice?> EnterAsync(UserName user)
    {
        var answer = await link.EvaluateAsync(Enter, KeyOf(user), time, Name(node.Value), (long)UserLife.TotalMilliseconds);
        return answer is null ? null : ChoiceOf((RedisValue[])answer!);
    }

    /// <summary>He has left it.</summary>
    public Task LeaveAsync(UserName user, DateTimeOffset at) =>
        link.EvaluateAsync(Leave, KeyOf(user), time, Name(node.Value), (long)UserLife.TotalMilliseconds, at.ToUnixTimeMilliseconds());

    /// <summary>He has chosen. False: it is not known whether Redis has it.</summary>
    public async Task<bool> ChooseAsync(UserName user, UserChoice choice)
    {
        var news = new UserNews(user.Tenant, user.User, choice).Write();
        return await link.EvaluateAsync(Choose, KeyOf(user), time, choice.At, (int)choice.Status, choice.Text ?? "", (long)UserLife.TotalMilliseconds, Users, news) is not null;
    }

    /// <summary>What is known of a user: what he has chosen, at which nodes he is, when he left the last one. Null: Redis has not answered.</summary>
    public async Task<(UserChoice Choice, IReadOnlyList<long> Nodes, DateTimeOffset? Seen)?> FindAsync(UserName user)
    {
        var answer = await link.EvaluateAsync(ReadUser, [KeyOf(user)], time);
        if (answer is null)
        {
            return null;
        }

        var fields = ((RedisValue[])answer!).Chunk(2).ToDictionary(static pair => (string)pair[0]!, static pair => pair[1], StringComparer.Ordinal);
        var choice = ChoiceOf([fields.GetValueOrDefault("status"), fields.GetValueOrDefault("text"), fields.GetValueOrDefault("at")]);
        var nodes = fields.Keys.Where(static field => field.StartsWith("n:", StringComparison.Ordinal)).Select(static field => Number(field[2..])).ToArray();
        return (choice, nodes, fields.TryGetValue("seen", out var seen) ? DateTimeOffset.FromUnixTimeMilliseconds((long)seen) : null);
    }

    private static UserChoice ChoiceOf(RedisValue[] fields) =>
        fields[2].IsNull ? UserChoice.None : new UserChoice((PresenceStatus)(int)fields[0], fields[1].IsNullOrEmpty ? null : (string?)fields[1], (long)fields[2]);

    private static PresenceEntry? EntryOf(RedisValue json)
    {
        try
        {
            return JsonSerializer.Deserialize((byte[])json!, PresenceJson.Default.PresenceEntry);
        }
        catch (JsonException)
        {
            // Of another release.
            return null;
        }
    }

    private static string ChannelOf(TopicKey topic) => $"realtime:{topic.Tenant}:presence:{topic.Name.Value}";

    // What stands in braces puts all of a topic into one slot of a cluster.
    private static string KeyOf(TopicKey topic) => $"realtime:{{{topic}}}:presence";

    private static string KeyOf(UserName user) => $"realtime:{{{user.Tenant}/{user.User}}}:presence-of-user";

    private static RedisKey[] KeysOf(TopicKey topic, long of) => [KeyOf(topic), $"{KeyOf(topic)}:{Name(of)}"];

    private static string Name(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static long Number(string text) => long.Parse(text, NumberStyles.None, CultureInfo.InvariantCulture);
}
