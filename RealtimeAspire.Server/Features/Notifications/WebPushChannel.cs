using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Lib.Net.Http.WebPush;
using Lib.Net.Http.WebPush.Authentication;
using Microsoft.Extensions.Options;

namespace RealtimeAspire.Server.Features.Notifications;

/// <summary>What a browser's service worker gets.</summary>
internal sealed record PushContent(string Id, string Kind, string Title, string? Body, string? Link, string Priority);

/// <summary>Web Push (RFC 8030), encrypted for the device (RFC 8291) and in the server's own name (RFC 8292).</summary>
internal sealed class WebPushChannel(IOptions<NotificationOptions> options, TimeProvider time) : IDeliveryChannel, IDisposable
{
    // Push services take 4,096 bytes, of which the encryption has some.
    private const int MaxContent = 3_500;
    private const int ShortBody = 300;
    private const int TopicLength = 32;

    private static readonly TimeSpan LongestKept = TimeSpan.FromDays(28);

    private const int MaxAnswerBytes = 64 * 1024;

    private readonly PushOptions _options = options.Value.Push;
    private readonly HttpClient _http = new(new Audience(options.Value.Push, PushDoor.Open(options.Value.Push.AllowPrivateAddresses)))
    {
        MaxResponseContentBufferSize = MaxAnswerBytes, Timeout = Timeout.InfiniteTimeSpan,
    };

    public Channel Channel => Channel.Push;

    public string? Missing => _options.IsOn ? null : $"{NotificationOptions.Section}:Push:PublicKey and :PrivateKey are not set.";

    public async Task<SendOutcome> SendAsync(Delivery delivery, CancellationToken cancellationToken)
    {
        var target = delivery.Target!;
        var subscription = new PushSubscription { Endpoint = target.Endpoint };
        subscription.SetKey(PushEncryptionKeyName.P256DH, target.P256dh);
        subscription.SetKey(PushEncryptionKeyName.Auth, target.Auth);
        var message = new PushMessage(ToContent(delivery))
        {
            TimeToLive = (int)Math.Clamp((delivery.Entry.Expires - time.GetUtcNow()).TotalSeconds, 0, LongestKept.TotalSeconds),
            Urgency = UrgencyOf(delivery.Entry.Priority),
            Topic = delivery.CollapseKey is { } key ? TopicOf(key) : null,
        };
        using var identity = ToIdentity(_options);
        // Its own waiting and trying again would be beside the record.
        var client = new PushServiceClient(_http) { AutoRetryAfter = false };
        try
        {
            await client.RequestPushMessageDeliveryAsync(subscription, message, identity, VapidAuthenticationScheme.Vapid, cancellationToken);
            return new SendOutcome.Sent();
        }
        catch (PushServiceClientException exception)
        {
            return ToOutcome(exception);
        }
        catch (HttpRequestException exception) when (exception.InnerException is AddressRefusedException refused)
        {
            return new SendOutcome.Rejected(refused.Message);
        }
        catch (HttpRequestException exception) when (exception.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
        {
            return new SendOutcome.Retry("the push service cannot be reached");
        }
        catch (HttpRequestException)
        {
            return new SendOutcome.Unknown("the push service has broken off");
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>As much of it as a push message holds; the rest is in the inbox.</summary>
    internal static string ToContent(Delivery delivery)
    {
        var whole = new PushContent(delivery.NotificationId, delivery.Kind, delivery.Title, delivery.Body, delivery.Link, Names.Of(delivery.Entry.Priority));
        var shorter = whole with { Body = Cut(whole.Body) };
        PushContent[] candidates = [whole, shorter, shorter with { Link = null }, shorter with { Link = null, Body = null }];
        return candidates.Select(content => JsonSerializer.Serialize(content, PushJson.Default.PushContent)).First(text => Encoding.UTF8.GetByteCount(text) <= MaxContent);
    }

    private static string? Cut(string? text)
    {
        if (text is not { Length: > ShortBody })
        {
            return text;
        }

        var end = char.IsHighSurrogate(text[ShortBody - 1]) ? ShortBody - 1 : ShortBody;
        return $"{text[..end]}…";
    }

    private static SendOutcome ToOutcome(PushServiceClientException exception)
    {
        var reason = $"the push service has answered {(int)exception.StatusCode}";
        return exception.StatusCode switch
        {
            HttpStatusCode.NotFound or HttpStatusCode.Gone => new SendOutcome.Gone(),
            HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout or >= HttpStatusCode.InternalServerError => new SendOutcome.Retry(reason, exception.Headers?.RetryAfter?.Delta),
            _ => new SendOutcome.Rejected(reason),
        };
    }

    private static PushMessageUrgency UrgencyOf(NotificationPriority priority) => priority switch
    {
        NotificationPriority.Low => PushMessageUrgency.Low,
        NotificationPriority.Normal => PushMessageUrgency.Normal,
        _ => PushMessageUrgency.High,
    };

    private static VapidAuthentication ToIdentity(PushOptions options) => new(options.PublicKey!, options.PrivateKey!) { Subject = options.Subject };

    /// <summary>A push service keeps the newest of a topic only, and knows nothing of what it is about.</summary>
    private static string TopicOf(string collapseKey) =>
        System.Buffers.Text.Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes(collapseKey)))[..TopicLength];

    /// <summary>RFC 8292: the token is for the push service's origin, its port included, which the library leaves out.</summary>
    private sealed class Audience(PushOptions options, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            using var identity = ToIdentity(options);
            var origin = request.RequestUri!.GetLeftPart(UriPartial.Authority);
            request.Headers.Authorization = new AuthenticationHeaderValue("vapid", identity.GetVapidSchemeAuthenticationHeaderValueParameter(origin));
            return await base.SendAsync(request, cancellationToken);
        }
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PushContent))]
internal sealed partial class PushJson : JsonSerializerContext;
