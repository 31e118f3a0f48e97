using System.Text.Json;
using System.Text.Json.Serialization;
using RealtimeAspire.Protocol;

namespace RealtimeAspire.Server.Features.Notifications;

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, Converters = [typeof(TimestampConverter)])]
[JsonSerializable(typeof(string[]))]
[JsonSerializable(typeof(Preferences))]
[JsonSerializable(typeof(PreferencesReply))]
[JsonSerializable(typeof(NotificationRequest))]
[JsonSerializable(typeof(NotificationReceipt))]
[JsonSerializable(typeof(RecipientRequest))]
[JsonSerializable(typeof(DeliveryPage))]
[JsonSerializable(typeof(DeadLetterPage))]
[JsonSerializable(typeof(InboxPage))]
[JsonSerializable(typeof(UnreadReply))]
[JsonSerializable(typeof(InboxChange))]
[JsonSerializable(typeof(InboxReadRequest))]
[JsonSerializable(typeof(DeviceRequest))]
[JsonSerializable(typeof(DeviceList))]
internal sealed partial class NotificationJson : JsonSerializerContext;
