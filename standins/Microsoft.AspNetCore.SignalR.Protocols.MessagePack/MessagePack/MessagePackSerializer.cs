using System.Collections.Concurrent;

namespace MessagePack;

/// <summary>Finds the formatter of a type and lets it read or write.</summary>
public static class MessagePackSerializer
{
    private static readonly ConcurrentDictionary<Type, Untyped> ByType = new();

    public static void Serialize<T>(ref MessagePackWriter writer, T value, MessagePackSerializerOptions? options = null)
    {
        options ??= MessagePackSerializerOptions.Standard;
        try
        {
            options.Resolver.GetFormatterWithVerify<T>().Serialize(ref writer, value, options);
        }
        catch (Exception exception)
        {
            throw new MessagePackSerializationException($"Failed to serialize {typeof(T).FullName} value.", exception);
        }
    }

    public static T Deserialize<T>(ref MessagePackReader reader, MessagePackSerializerOptions? options = null)
    {
        options ??= MessagePackSerializerOptions.Standard;
        try
        {
            return options.Resolver.GetFormatterWithVerify<T>().Deserialize(ref reader, options);
        }
        catch (Exception exception)
        {
            throw new MessagePackSerializationException($"Failed to deserialize {typeof(T).FullName} value.", exception);
        }
    }

    public static void Serialize(Type type, ref MessagePackWriter writer, object? obj, MessagePackSerializerOptions? options = null) =>
        Of(type).Serialize(ref writer, obj, options);

    public static object? Deserialize(Type type, ref MessagePackReader reader, MessagePackSerializerOptions? options = null) =>
        Of(type).Deserialize(ref reader, options);

    private static Untyped Of(Type type) =>
        ByType.GetOrAdd(type, static type => (Untyped)Activator.CreateInstance(typeof(Typed<>).MakeGenericType(type))!);

    private abstract class Untyped
    {
        public abstract void Serialize(ref MessagePackWriter writer, object? value, MessagePackSerializerOptions? options);

        public abstract object? Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions? options);
    }

    private sealed class Typed<T> : Untyped
    {
        public override void Serialize(ref MessagePackWriter writer, object? value, MessagePackSerializerOptions? options) =>
            MessagePackSerializer.Serialize(ref writer, (T)value!, options);

        public override object? Deserialize(ref MessagePackReader reader, MessagePackSerializerOptions? options) =>
            MessagePackSerializer.Deserialize<T>(ref reader, options);
    }
}
