using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Http;
using RealtimeAspire.Server.Pipeline.Feeds;
using RealtimeAspire.Server.Pipeline.Topics;

namespace RealtimeAspire.Tests.Server;

/// <summary>What a stream writes of what its connection brings, whatever the moment at which it comes.</summary>
public sealed class HttpStreamTransportTests : IDisposable
{
    private readonly MemoryStream _written = new();
    private readonly SseTransport _transport;

    public HttpStreamTransportTests()
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IHttpResponseBodyFeature>(new StreamResponseBodyFeature(_written));
        TopicStart[] topics = [new(TopicName.Parse("room:a"), null), new(TopicName.Parse("room:b"), null)];
        _transport = new SseTransport(context, topics, TimeProvider.System);
    }

    public void Dispose() => _transport.Dispose();

    [Fact]
    public async Task Nothing_of_a_topic_is_written_before_it_has_been_caught_up_with()
    {
        Begin();
        await SendAsync("room:a", 9);
        await SendAsync("room:b", 1);

        Assert.Equal(["0=e:0,1=e:1"], IdsAfterTheFirst());
    }

    [Fact]
    public async Task What_has_been_written_is_not_written_again()
    {
        Begin(live: 0);
        await SendAsync("room:a", 1, 2);
        await SendAsync("room:a", 2, 3);

        Assert.Equal(["0=e:1,1=e:0", "0=e:2,1=e:0", "0=e:3,1=e:0"], IdsAfterTheFirst());
    }

    [Fact]
    public async Task What_comes_before_the_first_frame_follows_it()
    {
        var sending = SendAsync("room:a", 1);
        Assert.False(sending.IsCompleted);

        Begin(live: 0);
        await sending;

        Assert.Equal(["0=e:1,1=e:0"], IdsAfterTheFirst());
    }

    [Fact]
    public async Task After_a_reset_a_topic_waits_to_be_caught_up_with_again()
    {
        Begin(live: 0);
        await _transport.SendControlAsync(new Control { Type = Control.Reset, Topic = "room:a" }, CancellationToken.None);
        await SendAsync("room:a", 5);

        Assert.Equal(0, await _transport.Resets.ReadAsync(TestContext.Current.CancellationToken));
        Assert.Equal(["0=e:0,1=e:0"], IdsAfterTheFirst());
    }

    [Fact]
    public async Task Nothing_follows_the_reason_for_the_end()
    {
        Begin(live: 0);
        await _transport.CloseAsync(ErrorCode.TokenExpired);
        await SendAsync("room:a", 1);

        Assert.True(_transport.Ended.IsCancellationRequested);
        Assert.Equal(["0=e:0,1=e:0"], IdsAfterTheFirst());
        Assert.Contains("\"code\":\"token_expired\"", Encoding.UTF8.GetString(_written.ToArray()), StringComparison.Ordinal);
    }

    private void Begin(int live = 1)
    {
        Assert.True(_transport.TryOpen());
        _transport.Begin(new StreamPosition([new Position("e", 0), new Position("e", 0)]), "{}"u8, 1_000);
        _transport.GoLive(live);
        _transport.EndTurn();
    }

    private async Task SendAsync(string topic, params long[] offsets)
    {
        var key = new TopicKey("default", TopicName.Parse(topic));
        var events = offsets.Select(offset => new EncodedEvent { Topic = key, Position = new Position("e", offset), TraceParent = null, Json = "{}"u8.ToArray() });
        await _transport.SendEventsAsync(new EventBatch([.. events]), TestContext.Current.CancellationToken);
    }

    private IEnumerable<string> IdsAfterTheFirst() => Encoding.UTF8.GetString(_written.ToArray()).Split('\n')
        .Where(line => line.StartsWith("id: ", StringComparison.Ordinal)).Select(line => line[4..]).Skip(1);
}
