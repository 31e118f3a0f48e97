using System.Collections.Concurrent;
using System.Diagnostics;
using RealtimeAspire.Protocol;
using RealtimeAspire.Server.Observability;
using RealtimeAspire.Server.Pipeline.Backplane;
using Xunit;

namespace RealtimeAspire.Tests.Server;

public sealed class TracingTests
{
    [Fact]
    public async Task One_trace_goes_from_the_publish_to_the_delivery_on_the_other_node()
    {
        var room = $"room:{Guid.NewGuid():N}";
        var stopped = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == RealtimeTracing.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = activity =>
            {
                if ((string?)activity.GetTagItem(TagNames.Topic) == room)
                {
                    stopped.Enqueue(activity);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
        var backplane = new InProcessBackplane();
        await using var a = new TestNode(backplane: backplane);
        await using var b = new TestNode(a.Log, new InProcessBackplane(backplane));
        var transport = new RecordingTransport();
        await b.SubscribeAsync(b.Connect(transport), room);

        await a.PublishAsync(room);
        await Until.TrueAsync(() => stopped.Count == 2);

        var publish = stopped.Single(activity => activity.Kind == ActivityKind.Producer);
        var deliver = stopped.Single(activity => activity.Kind == ActivityKind.Consumer);
        Assert.Equal((publish.TraceId, publish.SpanId), (deliver.TraceId, deliver.ParentSpanId));
        var history = await a.History.ReadAsync(TestNode.Ada, TopicName.Parse(room), null, null, null, TestContext.Current.CancellationToken);
        Assert.Equal(publish.Id, history.Events[0].TraceParent);
    }
}
